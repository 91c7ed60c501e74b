"""Reports about the machine: AWS's refusals, credentials, certificates, proxies, platforms, README."""

from __future__ import annotations

from tests.cases.case import Case

_ROWS = "tests/adapters/aws/core/test_error_rows.py"
_MACHINE = "tests/adapters/aws/core/test_misconfigured_machine.py"
_NETWORK = "tests/adapters/nwchat/delivery/test_network.py"
_PROCESS = "tests/unit/test_process.py"
_CRONTAB = "tests/e2e/chat/test_crontab.py"

CASES = (
    Case(
        "refusals",
        "a clock that is off is named, by how many minutes",
        (
            f"{_ROWS}::test_clock",
            f"{_ROWS}::test_a_wrong_key_is_not_taken_for_a_clock",
            f"{_ROWS}::test_the_offset_is_that_of_the_date_header",
            "tests/e2e/errors/test_aws_errors.py::test_a_clock_that_is_off",
        ),
    ),
    Case(
        "refusals",
        "a Region that is not enabled is named beside keys that AWS does not know",
        (
            f"{_ROWS}::test_a_region_that_is_not_enabled_is_one_of_two_causes",
            f"{_ROWS}::test_a_region_or_service_without_the_account",
        ),
    ),
    Case(
        "refusals",
        "a denial names the kind of policy and who can change it",
        (
            f"{_ROWS}::test_a_denial_names_the_policy_and_who_changes_it",
            f"{_ROWS}::test_every_kind_of_denial_has_a_case",
        ),
    ),
    Case(
        "credentials",
        "faults of a credential_process, a broken profile and an expired SSO session name profile and file",
        (
            f"{_MACHINE}::test_it_is_explained",
            f"{_MACHINE}::test_the_arguments_of_a_program_are_not_shown",
            f"{_MACHINE}::test_a_failed_sign_in_names_the_profile_of_the_settings",
            "tests/fuzz/test_environment.py::test_any_configuration_of_aws_ends_in_a_refusal",
        ),
    ),
    Case(
        "credentials",
        "an MFA code is asked for once, without echo, and never without a terminal",
        (
            f"{_MACHINE}::test_nobody_is_asked_for_a_code_without_a_terminal",
            f"{_MACHINE}::test_the_code_is_asked_for_once_and_before_anything_else",
            "tests/unit/output/test_prompt.py::test_a_code_is_not_shown",
        ),
    ),
    Case(
        "credentials",
        "a profile made by `aws login` works with the extra",
        (f"{_MACHINE}::test_a_profile_of_aws_login_works_with_the_extra",),
    ),
    Case(
        "credentials",
        "the sandbox reads no AWS configuration",
        (
            f"{_MACHINE}::test_the_sandbox_reads_no_aws_configuration",
            "tests/e2e/errors/test_aws_errors.py::test_a_broken_aws_configuration_stops_no_sandbox",
        ),
    ),
    Case(
        "credentials",
        "an empty variable is no Region, and AWS_REGION counts before AWS_DEFAULT_REGION",
        (
            f"{_MACHINE}::test_an_empty_region_is_none",
            f"{_MACHINE}::test_region_comes_from_settings_then_variables_then_profile",
        ),
    ),
    Case(
        "credentials",
        "a line break in a key is an error of its variable, and no header is shown",
        (f"{_MACHINE}::test_it_is_explained", f"{_ROWS}::test_headers_and_environments_are_hidden"),
    ),
    Case(
        "network",
        "everything follows an endpoint of the environment, or a mixture is refused",
        (
            "tests/unit/net/test_endpoints.py::test_which_endpoint_holds",
            "tests/unit/net/test_endpoints.py::test_mixtures_are_refused",
            "tests/unit/net/test_endpoints.py::test_the_chats_own_addresses_follow_the_endpoint",
        ),
    ),
    Case(
        "network",
        "FIPS and dual-stack endpoints are used for the chat's own addresses too, or refused",
        (
            "tests/unit/net/test_network.py::test_kinds_of_endpoints",
            "tests/unit/net/test_network.py::test_fips_is_refused_where_apis_have_no_such_address",
            "tests/unit/net/test_network.py::test_fips_is_accepted_in_govcloud",
        ),
    ),
    Case(
        "settings",
        "variables of Kubernetes' service links are ignored, and named with -v",
        (
            "tests/unit/config/test_service_links.py::test_a_service_link_is_ignored",
            "tests/unit/config/test_service_links.py::test_what_is_ignored_is_said_with_v_alone",
        ),
    ),
    Case(
        "network",
        "whatever is dialled trusts the same certificates",
        (
            "tests/unit/net/test_network.py::test_which_certificates_are_trusted",
            f"{_NETWORK}::test_certificates_of_each_variable_and_of_the_profile",
            "tests/e2e/network/test_network.py::test_commands_behind_an_inspecting_proxy",
        ),
    ),
    Case(
        "network",
        "a SOCKS proxy is a failed step with its reason",
        (
            "tests/unit/net/test_proxies.py::test_socks_is_refused_with_the_way_out",
            f"{_NETWORK}::test_socks_proxy_is_a_failed_step_of_the_smoke_test",
        ),
    ),
    Case(
        "platforms",
        "Windows is refused with one line",
        ("tests/unit/test_platform.py::test_windows_is_refused_with_one_line",),
    ),
    Case(
        "README",
        "the crontab of README runs as it stands, and trims only after an export that succeeded",
        (
            f"{_CRONTAB}::test_every_line_succeeds_in_silence",
            f"{_CRONTAB}::test_nothing_is_trimmed_after_an_export_that_failed",
        ),
    ),
    Case(
        "README",
        "how a page talks to the chat is in the documentation, and README's links lead there",
        ("tests/unit/test_docs.py::test_relative_links_lead_to_files",),
    ),
    Case(
        "README",
        "a newcomer learns of virtual environments, the extra of the sandbox, where the program is, what "
        "init asks, upgrades, costs and the order of policy and plan; sentences are read once",
        reason="prose: read by people, and no test judges it",
    ),
)
