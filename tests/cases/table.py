"""What was reported about the tool by operators, and the tests that keep each right.

A case is a kind of fault, told by its right behaviour. Its tests are functions by file (`path::name`); a case
without a test has a `reason`. Add a line for a new report, and a test to the line where there is one more.
"""

from __future__ import annotations

from tests.cases import deploying, machine, operating
from tests.cases.case import Case

_CORNERS = "tests/unit/test_corners.py"
_PROCESS = "tests/unit/test_process.py"
_HUMAN = "tests/unit/output/test_human.py"
_STREAMS = "tests/unit/output/test_streams.py"
_UNTRUSTED = "tests/unit/output/test_untrusted.py"
_LOADER = "tests/unit/config/test_loader.py"
_IMPORT_FILE = "tests/unit/chat/test_import_file.py"
_STORE = "tests/unit/chat/test_history_store.py"
_CHARACTERS = "tests/unit/nwchat/model/test_characters.py"

_FIRST = (
    Case(
        "history",
        "an import stores what is new, and counts what is there already",
        (f"{_STORE}::test_second_import_stores_nothing",),
    ),
    Case(
        "history",
        "a file of another kind is refused with one explanation",
        (f"{_IMPORT_FILE}::test_slack_export_is_explained_once",),
    ),
    Case(
        "history",
        "an import decodes UTF-16 by its byte order mark, and refuses half a character",
        (
            "tests/unit/chat/test_json_values.py::test_each_encoding_gives_the_same_values",
            f"{_IMPORT_FILE}::test_half_a_character_at_the_end_is_not_utf_8",
            f"{_IMPORT_FILE}::test_latin_1_is_refused_with_its_line",
        ),
    ),
    Case(
        "history",
        "an import takes arrays in any layout, in flat memory",
        (
            "tests/unit/chat/test_json_values.py::test_each_layout_gives_the_same_values",
            "tests/unit/chat/test_json_values.py::test_an_array_of_any_size_needs_little_memory",
        ),
    ),
    Case(
        "history",
        "an import of a compressed file says how to unpack it",
        (f"{_IMPORT_FILE}::test_other_files_are_no_text",),
    ),
    Case(
        "history",
        "following ends when the reader has gone",
        (f"{_STREAMS}::test_waiting_ends_when_the_reader_of_a_pipe_has_gone",),
    ),
    Case(
        "history",
        "following ends with Ctrl-C without an error",
        (f"{_HUMAN}::test_ctrl_c_is_how_an_endless_stream_ends",),
    ),
    Case(
        "announcements",
        "a text that is not UTF-8 is refused before anything is sent",
        (
            "tests/unit/commands/test_broadcast.py::test_stdin_that_is_not_utf_8_is_refused",
            f"{_PROCESS}::test_arguments_that_are_not_utf_8_are_refused",
        ),
    ),
    Case(
        "command line",
        "connection ids that begin with a dash are arguments",
        (
            "tests/unit/commands/test_connection_ids.py::test_ids_that_begin_with_a_dash_are_arguments",
            "tests/e2e/connections/test_kick.py::test_ids_that_begin_with_a_dash_need_no_separator",
        ),
    ),
    Case(
        "command line",
        "a group without a command prints its help",
        (f"{_PROCESS}::test_group_without_a_command_prints_its_help_on_stderr",),
    ),
    Case(
        "command line",
        "an empty value is refused, and is not taken for none",
        (
            f"{_CORNERS}::test_an_empty_value_is_refused_and_not_taken_for_none",
            f"{_CORNERS}::test_an_empty_config_is_not_the_working_directory",
        ),
    ),
    Case(
        "command line",
        "errors name the option or argument",
        (f"{_CORNERS}::test_errors_name_the_option_or_argument",),
    ),
    Case(
        "command line",
        "--color counts for errors of the command line",
        (f"{_CORNERS}::test_the_colour_of_errors_of_the_command_line",),
    ),
    Case("command line", "completion offers the right things", (f"{_CORNERS}::test_completion",)),
    Case(
        "command line",
        "the reference lists the options for help that the program has",
        (f"{_CORNERS}::test_the_reference_lists_the_help_options_that_the_program_has",),
    ),
    Case(
        "command line",
        "no input ends in a fault of the program, a hang, or lost output",
        (
            "tests/fuzz/test_command_line.py::test_any_command_line_has_an_outcome",
            "tests/fuzz/test_processes.py::test_a_settings_file_that_is_none",
            "tests/fuzz/test_processes.py::test_streams_that_are_closed_or_full",
            "tests/fuzz/test_processes.py::test_arguments_of_any_bytes",
            "tests/fuzz/test_environment.py::test_any_environment_gives_settings_or_one_error",
            "tests/fuzz/test_settings.py::test_any_bytes_are_read_or_refused",
            "tests/fuzz/test_settings.py::test_any_document_gives_settings_or_one_error",
            "tests/fuzz/test_stdin.py::test_any_bytes_are_read_or_refused",
            "tests/fuzz/test_stdin.py::test_any_messages_are_imported_or_counted",
        ),
    ),
    Case(
        "settings",
        "checks of several settings name the line of the one to change; numbers have upper bounds",
        (f"{_LOADER}::test_bad_values_of_the_file",),
    ),
    Case(
        "settings",
        "errors of TOML are in the words of TOML",
        (f"{_CORNERS}::test_toml_errors_are_in_the_words_of_toml",),
    ),
    Case(
        "settings",
        "help says how lists and tags are written in variables",
        (f"{_CORNERS}::test_the_help_of_variables_says_how_lists_and_tags_are_written",),
    ),
    Case(
        "settings",
        "what changes the chat names the settings file",
        ("tests/unit/test_context.py::test_a_mutation_says_which_file_it_goes_by",),
    ),
    Case(
        "settings",
        "a home directory that does not exist is an error with a hint",
        (
            f"{_CORNERS}::test_the_home_of_an_unknown_user_is_a_name_like_others",
            f"{_CORNERS}::test_a_user_without_a_home_is_told_what_the_sandbox_needs",
        ),
    ),
    Case(
        "output",
        "ids are never folded; the widest column is cut on a terminal",
        (f"{_HUMAN}::test_shortened_column_leaves_a_line_for_each_row",),
    ),
    Case(
        "output",
        "-q prints what was asked for",
        (
            f"{_HUMAN}::test_quiet_prints_what_was_requested",
            f"{_PROCESS}::test_quiet_prints_what_is_asked_for",
        ),
    ),
    Case(
        "output",
        "a stdout that is closed, full or not read is an error, never a silent loss",
        (
            f"{_STREAMS}::test_closed_stdout_loses_nothing_in_silence",
            f"{_CORNERS}::test_a_stdout_that_takes_no_more",
        ),
    ),
    Case(
        "output",
        "right-to-left cells leave their neighbours in place, on terminals alone",
        (f"{_HUMAN}::test_right_to_left_cells_are_isolated_on_a_terminal_alone",),
    ),
    Case(
        "output",
        "joiners stay between letters and pictographs, and nowhere else",
        (
            f"{_CHARACTERS}::test_scripts_and_emoji_keep_what_they_need",
            f"{_UNTRUSTED}::test_no_joiner_remains_between_other_letters",
        ),
    ),
    Case(
        "output",
        "what was spelled out differs from what a player typed",
        (f"{_UNTRUSTED}::test_no_control_character_remains_and_each_text_looks_different",),
    ),
    Case(
        "output",
        "direction marks stay in messages, and not in names",
        (f"{_CHARACTERS}::test_direction_marks_and_braille_blanks_stay_in_messages_only",),
    ),
    Case(
        "releases",
        "a recorded value has no words of a plan",
        ("tests/unit/deploy/test_releases.py::test_what_a_plan_could_not_know_is_known_afterwards",),
    ),
    Case(
        "bans and tokens",
        "the end of a ban is the second that the player is told",
        (f"{_CORNERS}::test_the_end_of_a_ban_is_the_second_that_the_player_is_told",),
    ),
    Case(
        "bans and tokens",
        "names and roles of tokens are refused where they are too long",
        ("tests/e2e/auth/test_tokens.py::test_names_and_roles_are_not_cut_in_silence",),
    ),
    Case(
        "command line",
        "completion offers releases to `rollback`",
        reason="the shell would ask AWS for each press of the key",
    ),
)

CASES = (*_FIRST, *deploying.CASES, *machine.CASES, *operating.CASES)
