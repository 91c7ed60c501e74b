"""Access logs: asked for by a setting, written with a role that only its own flag sets for the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nwchatctl.deploy.desired.access_logs import FORMAT, HISTORY_FORMAT
from nwchatctl.deploy.logging_role import ROLE_TRUST
from tests.e2e.support.console import logging
from tests.e2e.support.console.core import stage
from tests.e2e.support.drift_cases import LOGGED_DRIFTS, Drift, check_repair
from tests.e2e.support.operator import ACCOUNT, Operator, Ran
from tests.e2e.support.sandbox import Sandbox

FLAG = "--set-account-logging-role"
ON = {"NWCHAT_LOGS__ACCESS": "1"}
OWN = f"arn:aws:iam::{ACCOUNT}:role/{logging.LOGGING}"
NO_ROLE = f"logs.access is on, and API Gateway in account {ACCOUNT}, us-east-2 has no role to log with"
HISTORY = "update history-api nwchat-e2e-logs-history"
GROUP = "log-group /aws/apigateway/nwchat-e2e-logs-access"


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A chat without access logs."""
    made = Operator(sandbox, "e2e-logs", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


@pytest.fixture
def unset(chat: Operator) -> Iterator[Operator]:
    """The chat, in an account that has no logging role, before and after."""
    logging.account_logging_unset(chat)
    yield chat
    logging.account_logging_unset(chat)
    chat.deploy()


@pytest.fixture
def others(unset: Operator) -> Iterator[str]:
    """The ARN of a role that somebody else has set."""
    arn = logging.make_log_role(unset, "somebody-elses")
    logging.set_account_role(unset, arn)
    yield arn
    logging.set_account_role(unset, "")
    logging.remove_log_role(unset, "somebody-elses")


@pytest.fixture(scope="module")
def logged(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Another chat, with access logs, in an account whose role is somebody else's."""
    made = Operator(sandbox, "e2e-logged", tmp_path_factory.mktemp("home"), **ON)
    logging.set_account_role(made, logging.make_log_role(made, "the-accounts"))
    made.deploy()
    yield made
    made.destroy()
    logging.set_account_role(made, "")
    logging.remove_log_role(made, "the-accounts")


def stage_logs(chat: Operator) -> Any:
    return chat.api.get_stage(ApiId=chat.api_id, StageName="production").get("AccessLogSettings")


def wrote(ran: Ran) -> list[str]:
    """The write calls about roles, log groups and API Gateway, in their order."""
    words = ("Role", "Account", "LogGroup", "Retention", "Stage", "LogSettings")
    return [each for each in ran.writes if any(word in each for word in words)]


def touched(changes: list[Any]) -> list[str]:
    return [f"{each['action']} {each['kind']} {each['name']}" for each in changes]


def test_chat_without_access_logs_does_not_read_the_account(unset: Operator) -> None:
    for argv in (["plan"], ["deploy"], ["status"]):
        ran = unset.run(*argv)
        assert (ran.code, ran.err.count("warning")) == (0, 0)
        assert not {"GetAccount", "UpdateAccount"} & set(ran.calls)


def test_without_a_role_a_plan_warns_and_a_deploy_refuses_before_it_changes_anything(
    unset: Operator,
) -> None:
    before = unset.resources()
    for argv in (["plan"], ["deploy", "--dry-run"]):
        ran = unset.run(*argv, **ON)
        assert (ran.code, ran.writes) == (0, [])
        assert f"warning: {NO_ROLE}; `nwchatctl deploy {FLAG}` sets one, account-wide\n" in ran.err
    for argv in (["deploy", "--yes"], ["deploy", "--yes", "--only", "stage", "--only", "log-group"]):
        ran = unset.run(*argv, **ON)
        assert (ran.code, ran.writes) == (1, [])
        assert ran.error is not None
        assert (ran.error.code, ran.error.message) == ("account_logging_role", NO_ROLE)
        assert FLAG in ran.error.hint
        assert f"sets it for all of API Gateway in account {ACCOUNT}, us-east-2" in ran.error.hint
    assert (unset.resources(), stage_logs(unset), logging.account_role(unset)) == (before, None, "")


def test_what_needs_no_role_is_deployed_all_the_same(unset: Operator) -> None:
    ran = unset.run("deploy", "--only", "log-group", "--json", **ON)
    assert (ran.code, touched(ran.data["changes"])) == (0, [f"create {GROUP}"])
    assert "warning: logs.access is on" in ran.err


def test_dry_run_shows_role_and_sets_nothing(unset: Operator) -> None:
    ran = unset.run("deploy", "--dry-run", FLAG, **ON)
    assert (ran.code, ran.writes, logging.account_role(unset)) == (0, [], "")
    assert (
        f"warning: account-wide: API Gateway in account {ACCOUNT}, us-east-2 will log with {OWN}" in ran.err
    )
    assert f"+ {GROUP}" in ran.out.splitlines()


def test_setting_the_role_requires_confirmation(unset: Operator) -> None:
    """Although nothing of the chat's is removed."""
    for argv in (["deploy", FLAG], ["deploy", FLAG, "--json"]):
        ran = unset.run(*argv, **ON)
        assert (ran.code, ran.writes) == (7, [])
        assert ran.error is not None
        assert "--yes" in ran.error.hint
        assert "account-wide" in ran.err
    assert logging.account_role(unset) == ""


def test_with_the_flag_the_role_is_made_and_set_and_the_stage_logs(unset: Operator) -> None:
    ran = unset.run("deploy", "--yes", FLAG, "--json", **ON)
    assert ran.code == 0
    assert touched(ran.data["changes"]) == [f"create {GROUP}", HISTORY, "update stage production"]
    # The account first: API Gateway refuses logs while it has no role.
    assert wrote(ran) == [
        *("CreateRole", "AttachRolePolicy", "UpdateAccount"),
        *("CreateLogGroup", "PutRetentionPolicy", "UpdateStage", "UpdateStage"),
    ]
    assert (
        f"account-wide: API Gateway in account {ACCOUNT}, us-east-2 will log with {OWN}; it has no" in ran.err
    )
    assert logging.account_role(unset) == OWN
    tags = unset.root("iam").get_role(RoleName=logging.LOGGING)["Role"]["Tags"]
    assert tags == [{"Key": "nwchat:managed-by", "Value": "nwchatctl"}]
    group = unset.arn("logs", f"log-group:{unset.access_log}")
    assert stage_logs(unset) == {"DestinationArn": group, "Format": FORMAT}
    history = unset.api.get_stage(ApiId=unset.history_id, StageName="$default")
    assert history["AccessLogSettings"] == {"DestinationArn": group, "Format": HISTORY_FORMAT}
    assert unset.plan(**ON) == []

    again = unset.run("deploy", FLAG, **ON)
    assert (again.code, again.writes) == (0, [])
    assert f"logs with {OWN} already, which is left as it is" in again.err


def test_the_role_alone_is_set_where_all_else_is_as_configured(unset: Operator) -> None:
    ran = unset.run("deploy", "--yes", FLAG, "--json")
    assert (ran.code, ran.data["changes"], ran.data["applied"]) == (0, [], 0)
    assert wrote(ran) == ["CreateRole", "AttachRolePolicy", "UpdateAccount"]
    assert logging.account_role(unset) == OWN


def test_a_half_made_role_is_completed(unset: Operator) -> None:
    """What a deploy leaves that is killed between its calls."""
    unset.root("iam").create_role(
        RoleName=logging.LOGGING,
        AssumeRolePolicyDocument=ROLE_TRUST,
        Tags=[{"Key": "nwchat:managed-by", "Value": "nwchatctl"}],
    )
    ran = unset.run("deploy", "--yes", FLAG, **ON)
    assert (ran.code, wrote(ran)[:2]) == (0, ["AttachRolePolicy", "UpdateAccount"])
    assert logging.account_role(unset) == OWN


def test_foreign_role_of_same_name_is_refused(unset: Operator) -> None:
    logging.make_log_role(unset, logging.LOGGING, team="another")
    ran = unset.run("deploy", "--yes", FLAG, **ON)
    assert (ran.code, wrote(ran), ran.error and ran.error.code) == (1, [], "not_ours")
    assert logging.account_role(unset) == ""


def test_a_role_that_is_set_already_is_never_replaced(unset: Operator, others: str) -> None:
    ran = unset.run("deploy", "--yes", FLAG, "--json", **ON)
    assert ran.code == 0
    assert wrote(ran) == ["CreateLogGroup", "PutRetentionPolicy", "UpdateStage", "UpdateStage"]
    assert logging.account_role(unset) == others
    ran = unset.run("deploy", FLAG, **ON)
    assert f"logs with {others} already, which is left as it is" in ran.err


def test_logs_go_with_their_setting(unset: Operator, others: str) -> None:
    unset.deploy(**ON)
    ran = unset.run("deploy")
    assert (ran.code, ran.writes) == (7, [])
    ran = unset.run("deploy", "--yes", "--json")
    assert touched(ran.data["changes"]) == [f"delete {GROUP}", HISTORY, "update stage production"]
    # What is logged to goes after the stages have let go of it.
    assert sorted(wrote(ran)[:-1]) == ["DeleteAccessLogSettings", "DeleteAccessLogSettings", "UpdateStage"]
    assert wrote(ran)[-1] == "DeleteLogGroup"
    assert stage_logs(unset) is None
    assert GROUP not in unset.resources()
    assert unset.plan() == []


def test_foreign_log_group_blocks_only_chats_with_access_logs(unset: Operator, others: str) -> None:
    unset.root("logs").create_log_group(logGroupName=unset.access_log)
    assert unset.plan() == []
    ran = unset.run("deploy", **ON)
    assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "not_ours")
    assert GROUP not in str(unset.json("destroy", "--dry-run")["changes"])
    unset.root("logs").delete_log_group(logGroupName=unset.access_log)


def test_destroy_leaves_the_accounts_role_and_says_so(unset: Operator) -> None:
    assert unset.run("deploy", "--yes", FLAG, **ON).code == 0
    left = {"kind": "account-logging-role", "name": OWN}
    assert left in unset.json("destroy", "--dry-run")["left"]
    ran = unset.run("destroy", "--yes", "--keep-logs", "--json")
    assert left in ran.data["left"]
    assert {GROUP} <= {f"{each['kind']} {each['name']}" for each in ran.data["left"]} & unset.resources()
    assert logging.account_role(unset) == OWN
    assert unset.root("iam").get_role(RoleName=logging.LOGGING)["Role"]["Arn"] == OWN

    # What was kept is found again, by the next deploy and by the next destroy.
    assert GROUP.split()[1] not in str(unset.deploy(**ON)["changes"][0])
    ran = unset.run("destroy", "--yes")
    assert (ran.code, GROUP in unset.resources()) == (0, False)
    assert f"left: account-logging-role {OWN}" in ran.out.splitlines()


def test_a_first_deploy_with_logs(unset: Operator, others: str) -> None:
    unset.destroy()
    changes = unset.deploy(**ON)["changes"]
    assert {each["action"] for each in changes} == {"create"}
    assert [each["kind"] for each in changes].count("log-group") == 6
    assert unset.plan(**ON) == []
    assert unset.json("smoke", **ON)["ok"] is True


@pytest.mark.parametrize("drift", LOGGED_DRIFTS, ids=lambda drift: drift.id)
def test_drift_of_access_logs_is_shown_and_repaired(logged: Operator, drift: Drift) -> None:
    check_repair(logged, drift)


ELSEWHERE = {"DestinationArn": logging.ELSEWHERE, "Format": "$context.requestId"}
OFF = {"NWCHAT_LOGS__ACCESS": "off", "NWCHAT_LOGS__EXECUTION": "off"}
PING_LIMITS = {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 200}


def stage_levels(chat: Operator) -> dict[str, tuple[Any, Any]]:
    """Level of the execution log, and whether texts of messages are logged, by route; "" for the stage."""
    stage = chat.api.get_stage(ApiId=chat.api_id, StageName="production")
    settings = {"": stage["DefaultRouteSettings"], **stage["RouteSettings"]}
    return {key: (each.get("LoggingLevel"), each.get("DataTraceEnabled")) for key, each in settings.items()}


def test_logs_set_by_hand_are_reported_and_kept(unset: Operator, others: str) -> None:
    logging.access_log_set(logging.ELSEWHERE)(unset)
    logging.level(LoggingLevel="INFO", DataTraceEnabled=True)(unset)
    stage(RouteSettings={"ping": {**PING_LIMITS, "LoggingLevel": "ERROR"}})(unset)
    history = {"ApiId": unset.history_id, "StageName": "$default"}
    unset.api.update_stage(**history, AccessLogSettings=ELSEWHERE)

    planned = unset.run("plan", "--json")
    assert planned.data["changes"] == []
    by_hand = [line for line in planned.err.splitlines() if "set by hand" in line]
    assert len(by_hand) == 3
    assert sum("with the texts of messages" in line for line in by_hand) == 1
    # Another change of the stages leaves them as they are.
    ran = unset.run("deploy", "--json", NWCHAT_STAGE__THROTTLE_RATE="90", NWCHAT_HISTORY__REQUEST_RATE="40")
    assert touched(ran.data["changes"]) == [HISTORY, "update stage production"]
    assert "set by hand" in ran.err
    assert stage_logs(unset) == ELSEWHERE
    assert stage_levels(unset) == {"": ("INFO", True), "ping": ("ERROR", False), "$connect": (None, None)}
    assert unset.api.get_stage(**history)["AccessLogSettings"] == ELSEWHERE

    # The settings say otherwise.
    fields = {each["name"]: each["after"] for change in unset.plan(**OFF) for each in change["fields"]}
    assert {"access_log", "access_format", "execution_log", "route_settings.ping"} <= set(fields)
    unset.deploy(**OFF)
    assert unset.plan(**OFF) == []
    assert (stage_logs(unset), unset.api.get_stage(**history).get("AccessLogSettings")) == (None, None)
    assert stage_levels(unset)[""] == ("OFF", False)


def test_execution_logs_are_a_setting(unset: Operator, others: str) -> None:
    level = {"NWCHAT_LOGS__EXECUTION": "error"}
    unset.deploy(**level)
    assert unset.plan(**level) == []
    assert stage_levels(unset) == dict.fromkeys(("", "ping", "$connect"), ("ERROR", False))
    logging.set_account_role(unset, "")
    refused = unset.run("deploy", "--yes", **{"NWCHAT_LOGS__EXECUTION": "info"})
    assert refused.error is not None
    assert (refused.error.code, "logs.execution is on" in refused.error.message) == (
        "account_logging_role",
        True,
    )
    unset.deploy(**OFF)
