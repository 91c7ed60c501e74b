"""Reports about deploying: plans, consent, releases, status, and what others have in the account."""

from __future__ import annotations

from tests.cases.case import Case

_CONSEQUENCES = "tests/unit/deploy/test_consequences.py"
_CONSENT = "tests/unit/commands/test_consent.py"
_RELEASES = "tests/unit/deploy/test_releases.py"
_ROLE_REGIONS = "tests/unit/deploy/test_role_regions.py"
_STATUS = "tests/unit/commands/test_status.py"
_PARTLY = "tests/e2e/deploy/test_partly_deployed.py"
_PROTECTIONS = "tests/unit/deploy/test_protections.py"
_NETWORKS = "tests/unit/deploy/desired/test_networks.py"
_PARTITIONS = "tests/unit/test_partitions.py"
_NEEDS = "tests/unit/deploy/desired/test_account_needs.py"
_SETTINGS = "tests/e2e/deploy/test_settings.py"

CASES = (
    Case(
        "deploying",
        "a chat in a second Region changes nothing of the same chat in the first",
        (
            "tests/e2e/deploy/test_regions.py::test_what_happens_to_one_chat_changes_nothing_of_the_others",
            f"{_ROLE_REGIONS}::test_new_chat_has_roles_of_its_region",
            f"{_ROLE_REGIONS}::test_role_without_region_in_its_name_belongs_to_region_it_works_for",
        ),
    ),
    Case(
        "releases",
        "a rollback that would not run the release is refused",
        (f"{_RELEASES}::test_a_rollback_that_would_run_a_larger_release_is_refused",),
    ),
    Case(
        "deploying",
        "going from tokens to open mode needs a flag of its own",
        (
            f"{_CONSEQUENCES}::test_opening_a_chat_needs_its_own_flag",
            f"{_CONSEQUENCES}::test_opening_under_another_stage_name_needs_the_flag",
            f"{_CONSENT}::test_yes_agrees_to_all_but_opening",
        ),
    ),
    Case(
        "releases",
        "no release is recorded that never ran",
        (f"{_SETTINGS}::test_only_records_no_release_that_never_ran",),
    ),
    Case(
        "deploying",
        "a wrong name is an error of the flag that has the name",
        ("tests/unit/output/test_prompt.py::test_the_flag_with_another_name",),
    ),
    Case(
        "status",
        "status says where the chat is, shows what differs, and fits on a screen",
        (
            f"{_STATUS}::test_chat_account_region_and_settings_come_first",
            f"{_STATUS}::test_every_key_is_one_word_and_there_once",
            f"{_STATUS}::test_only_what_differs_is_listed",
            f"{_STATUS}::test_whole_chat_fits_a_screen_with_all_that_differs",
        ),
    ),
    Case(
        "deploying",
        "a plan shows the part of a long value that differs",
        (
            "tests/unit/deploy/test_value_diff.py::test_two_values_never_look_the_same",
            "tests/unit/deploy/test_value_diff.py::test_member_of_a_statement_that_differs",
            "tests/unit/output/test_plan_view.py::test_note_is_there_only_where_something_is_left_out",
        ),
    ),
    Case(
        "releases",
        "a plan names the releases that a removed function takes along",
        (
            f"{_CONSEQUENCES}::test_releases_that_go_with_a_function_are_named",
            "tests/unit/output/test_plan_view.py::test_release_that_runs_again_is_said_in_words",
        ),
    ),
    Case(
        "deploying",
        "consent names what matters: who is disconnected and which address stops working",
        (
            f"{_CONSEQUENCES}::test_another_stage_disconnects_everybody",
            f"{_CONSEQUENCES}::test_api_created_again_has_another_address",
            f"{_CONSEQUENCES}::test_history_created_again_has_another_address",
            "tests/unit/output/test_plan_view.py::test_consequences_follow_the_summary",
        ),
    ),
    Case(
        "status",
        "a chat or a part that is not there is named in the same words by every command",
        (
            f"{_PARTLY}::test_functions_that_the_settings_leave_out",
            f"{_PARTLY}::test_a_missing_function_is_named",
            f"{_PARTLY}::test_a_missing_table_is_named",
            f"{_PARTLY}::test_without_its_api_the_rest_is_still_shown",
        ),
    ),
    Case(
        "deploying",
        "destroy says before the question what goes and what stays",
        (
            f"{_CONSEQUENCES}::test_destroy_says_what_stops_and_what_goes",
            f"{_CONSEQUENCES}::test_destroy_counts_the_data_that_goes",
        ),
    ),
    Case(
        "status",
        "a resource without the chat's tags comes with the command that puts them back",
        (
            f"{_PARTLY}::test_a_function_that_lost_its_tags",
            "tests/unit/deploy/test_tag_commands.py::test_each_kind_has_its_command",
        ),
    ),
    Case(
        "status",
        "the chats of an account are listed",
        (
            "tests/unit/deploy/test_account_chats.py::test_chats_are_told_apart_by_their_whole_name",
            "tests/adapters/aws/test_tagged_resources.py::test_each_region_is_asked_at_its_own_address",
        ),
    ),
    Case(
        "deploying",
        "a function whose role was created again is configured and published again",
        (f"{_NEEDS}::test_function_of_a_role_that_was_created_again_is_configured_and_published_again",),
    ),
    Case(
        "deploying",
        "new roles have the permissions boundary of the settings",
        (
            "tests/unit/deploy/desired/test_chat.py::test_every_role_has_the_boundary",
            "tests/adapters/aws/test_adapters.py::test_a_role_is_made_with_its_boundary",
            "tests/e2e/deploy/test_boundary.py::test_a_boundary_is_given_to_a_chat_that_has_none",
        ),
    ),
    Case(
        "deploying",
        "functions run in a VPC, and one that was set by hand is shown and kept",
        (
            f"{_NETWORKS}::test_the_settings_put_every_function_and_its_role_there",
            f"{_NETWORKS}::test_what_was_set_by_hand_is_kept_and_said",
            "tests/e2e/deploy/test_networks.py::test_functions_go_into_a_vpc_stay_there_and_leave_it",
        ),
    ),
    Case(
        "deploying",
        "hosts and policies are those of the partition",
        (
            f"{_PARTITIONS}::test_no_file_has_a_partition_built_in",
            f"{_PARTITIONS}::test_policies_name_the_partition_everywhere",
            f"{_PARTITIONS}::test_partition_and_suffix_come_from_botocore",
            "tests/unit/commands/test_policy.py::test_the_partition_is_the_regions",
        ),
    ),
    Case(
        "deploying",
        "a Region that takes fewer requests than the settings say is warned of",
        (f"{_NEEDS}::test_newer_regions_take_fewer_requests",),
    ),
    Case(
        "deploying",
        "the default rate of sending follows the Region",
        reason="not built: one default everywhere; deploy and status warn where it is too high",
    ),
    Case(
        "deploying",
        "tags under keys that the settings do not have are left alone",
        (
            f"{_PROTECTIONS}::test_tags_of_others_stay",
            "tests/e2e/deploy/test_drift.py::test_protections_and_tags_of_others_stay",
        ),
    ),
)
