"""Reports about a chat in operation: announcements, connections, history, smoke, floods and clients."""

from __future__ import annotations

from tests.cases.case import Case

_BROADCAST = "tests/e2e/chat/test_broadcast.py"
_OPTIONS = "tests/unit/commands/test_options.py"
_PROCESS = "tests/unit/test_process.py"
_PROMPT = "tests/unit/output/test_prompt.py"
_STORE = "tests/unit/chat/test_history_store.py"
_BUDGETS = "tests/unit/nwchat/test_budgets.py"
_KICK = "tests/unit/operations/test_kick.py"
_TRUST = "tests/unit/config/test_file_trust.py"
_SCHEDULER = "tests/unit/nwchat/delivery/test_scheduler.py"
_PROGRESS = "tests/unit/chat/test_broadcast_progress.py"
_FILES = "tests/e2e/history/test_history_files.py"
_HISTORY_FILES = "tests/unit/operations/test_history_files.py"
_ONCE = "tests/e2e/chat/test_broadcast_once.py"
_HUMAN = "tests/unit/output/test_human.py"
_IMPORT_FILE = "tests/unit/chat/test_import_file.py"

CASES = (
    Case(
        "history",
        "an export ends before what may still be stored late, and a resumed one overlaps",
        (
            f"{_HISTORY_FILES}::test_an_export_ends_60_seconds_before_the_clock_of_aws",
            f"{_HISTORY_FILES}::test_every_message_is_in_one_place_of_the_file",
            f"{_HISTORY_FILES}::test_trim_keeps_the_messages_of_the_last_minute",
        ),
    ),
    Case(
        "command line",
        "an age in plain seconds is an age, and a small number is no time of 1970",
        (
            f"{_OPTIONS}::test_times",
            f"{_OPTIONS}::test_no_times",
            f"{_PROCESS}::test_usage_errors",
            "tests/e2e/connections/test_kick.py::test_only_the_old_and_in_order",
        ),
    ),
    Case(
        "floods",
        "history over the socket is limited by its size",
        (
            f"{_BUDGETS}::test_history_flood_is_answered_once_and_closed",
            f"{_BUDGETS}::test_page_of_history_is_charged_by_its_size",
        ),
    ),
    Case(
        "history",
        "an import cleans texts and names as the chat does",
        (f"{_STORE}::test_texts_and_names_are_cleaned_as_by_the_chat",),
    ),
    Case(
        "history",
        "an import keeps the stored text of an id and what a moderator deleted",
        (f"{_FILES}::test_stored_text_is_replaced_on_request_alone",),
    ),
    Case(
        "announcements",
        "a broadcast to a room of any size says that it waits, and gives up within 30 seconds of an outage",
        (
            f"{_SCHEDULER}::test_room_of_any_size_is_given_up_within_outage_seconds",
            "tests/unit/nwchat/delivery/test_tally.py::test_reasons_that_differ_by_a_number_or_an_id_are_one",
            "tests/adapters/aws/core/test_wait_notices.py::test_requests_of_libcurl",
        ),
    ),
    Case(
        "command line",
        "only an option that is nearly right is suggested",
        (f"{_PROCESS}::test_usage_errors",),
    ),
    Case(
        "command line",
        "global options stand before or after the command",
        (f"{_PROCESS}::test_global_options_stand_anywhere",),
    ),
    Case(
        "announcements",
        "another text, sender or recipient under a used id is refused",
        (
            f"{_BROADCAST}::test_the_same_id_is_sent_once",
            f"{_BROADCAST}::test_id_is_bound_to_its_first_recipient",
            f"{_PROGRESS}::test_an_announcement_differs_by_text_sender_or_recipient",
        ),
    ),
    Case(
        "announcements",
        "a message to a user without a connection is an error and is not stored",
        (f"{_BROADCAST}::test_announcement_to_nobody_is_not_found",),
    ),
    Case(
        "connections",
        "names are compared alike by every option",
        (
            f"{_BROADCAST}::test_names_are_compared_alike_everywhere",
            "tests/unit/nwchat/model/test_bans.py::test_names_that_look_the_same_are_the_same",
        ),
    ),
    Case(
        "command line",
        "options that exclude each other are called so",
        (f"{_PROCESS}::test_usage_errors",),
    ),
    Case(
        "history",
        "tail shows ids, senders and what is an announcement",
        ("tests/e2e/chat/test_operator_views.py::test_verbose_and_columns_show_what_delete_and_ban_want",),
    ),
    Case(
        "command line",
        "`help COMMAND` is the help of the command",
        (f"{_PROCESS}::test_help_of_a_command_is_its_help",),
    ),
    Case(
        "smoke and invoke",
        "help of invoke says that an event is real",
        ("tests/unit/test_corners.py::test_the_help_of_invoke_says_that_an_event_is_real",),
    ),
    Case(
        "connections",
        "the question of kick says how many connections of which chat it closes",
        (
            f"{_KICK}::test_question_is_preceded_by_what_it_is_about",
            f"{_KICK}::test_missing_confirmation_says_what_it_is_about",
        ),
    ),
    Case(
        "smoke and invoke",
        "a failure ends with one error and a hint, and steps are tab-separated in a pipe",
        (
            "tests/unit/chat/test_smoke_hints.py::test_hints",
            "tests/e2e/chat/test_smoke.py::test_a_chat_that_works",
            "tests/e2e/chat/test_smoke.py::test_a_broken_release_is_named_by_its_step",
            f"{_HUMAN}::test_a_report_of_a_failure_ends_with_its_error",
        ),
    ),
    Case(
        "exit codes",
        "a file that is there, a file without a message and half a broadcast have the codes of the help",
        (
            "tests/unit/commands/test_init.py::test_a_file_that_is_there_is_kept",
            f"{_FILES}::test_existing_file_is_continued_or_refused",
            f"{_IMPORT_FILE}::test_short_file_without_any_message_is_refused",
            f"{_ONCE}::test_timeout_stops_run_with_report",
            "tests/unit/commands/test_broadcast.py::test_the_exit_code_says_how_it_ended",
        ),
    ),
    Case(
        "exit codes",
        "the hint of a timeout does not promise that the same command goes on",
        ("tests/unit/commands/test_interrupted.py::test_timeout",),
    ),
    Case(
        "output",
        "Ctrl-C at a question ends its line",
        (f"{_PROMPT}::test_ctrl_c_ends_the_line_of_the_question",),
    ),
    Case(
        "output",
        "one is singular",
        (
            f"{_FILES}::test_a_message_is_deleted_by_its_id",
            f"{_FILES}::test_export_and_trim_leave_the_last_minute",
        ),
    ),
    Case(
        "sandbox",
        "`sandbox up` names deploy as the next command only where nothing is there yet",
        ("tests/unit/commands/test_sandbox.py::test_the_next_command_depends_on_what_is_there",),
    ),
    Case(
        "history",
        "an export into a pipe that breaks counts what was written",
        (f"{_FILES}::test_a_pipe_that_breaks_gets_a_true_count",),
    ),
    Case(
        "settings",
        "a settings file without an end, or of another user, is refused",
        (
            f"{_TRUST}::test_named_special_file_does_not_hang",
            f"{_TRUST}::test_huge_file_is_refused",
            f"{_TRUST}::test_another_users_file_is_refused",
            f"{_TRUST}::test_a_directory_further_up_counts_as_well",
        ),
    ),
    Case(
        "settings",
        "a variable in capitals sets the tag of the file; keys that differ by case only are refused",
        (
            "tests/unit/config/test_loader.py::test_a_variable_in_capitals_sets_the_tag_of_the_file",
            "tests/unit/config/test_loader.py::test_bad_values_of_the_file",
        ),
    ),
    Case(
        "output",
        "a long list has its headings once",
        (f"{_HUMAN}::test_rows_are_read_as_they_are_printed",),
    ),
    Case(
        "clients",
        "at most four marks are kept on a character",
        ("tests/unit/nwchat/model/test_characters.py::test_a_character_keeps_four_marks",),
    ),
    Case(
        "settings",
        "origins that no browser sends are refused with what to write",
        ("tests/unit/config/test_origins.py::test_what_no_browser_sends_is_refused_with_what_to_write",),
    ),
    Case(
        "clients",
        "HEAD of the health address is answered",
        (
            "tests/unit/nwchat/test_history.py::test_health_needs_no_table",
            "tests/unit/deploy/desired/test_history_api.py::test_its_routes_and_only_they_may_invoke_the_function",
        ),
    ),
    Case(
        "clients",
        "the text `ping` of heartbeats is answered with `pong` and not stored",
        ("tests/e2e/chat/test_messages.py::test_text_ping_of_a_heartbeat_is_answered_with_the_text_pong",),
    ),
    Case(
        "bans and tokens",
        "a ban of an address that others share is warned of",
        ("tests/e2e/auth/test_bans.py::test_ban_of_a_shared_address_warns",),
    ),
    Case(
        "bans and tokens",
        "behind a CDN the address is that of a header which the CDN sets",
        reason="not built: behind a CDN all clients have its addresses; bans there are by token or name",
    ),
)
