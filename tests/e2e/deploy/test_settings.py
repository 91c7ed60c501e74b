"""A setting that changes updates what it is about and nothing else; so does --only, or it says why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support.console.core import (
    alias_moved,
    delete_function,
    route_added,
    route_deleted,
    route_retargeted,
    stage_redeployed,
)
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-settings", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


SMALL = ("connect", "disconnect", "message", "history")
EACH = (*SMALL, "fanout")
FUNCTIONS = [("function", f"CHAT-{each}") for each in EACH]
ALIASES = [("alias", f"CHAT-{each}:live") for each in EACH]
OF_SMALL = [part for each in SMALL for part in (("function", f"CHAT-{each}"), ("alias", f"CHAT-{each}:live"))]
OF_FANOUT = [("function", "CHAT-fanout"), ("alias", "CHAT-fanout:live")]
OF_CONNECT = [("function", "CHAT-connect"), ("alias", "CHAT-connect:live")]
OF_MESSAGE = [("function", "CHAT-message"), ("alias", "CHAT-message:live")]
GROUPS = [("log-group", f"/aws/lambda/CHAT-{each}") for each in EACH]
STAGE = [("stage", "production")]
HISTORY = ("history-api", "CHAT-history")
RELEASE = ("release", "ID")

# What is set → what changes, and the names of the calls that it takes.
SETTINGS: list[tuple[dict[str, str], list[tuple[str, str]], set[str]]] = [
    ({"NWCHAT_STAGE__THROTTLE_RATE": "33.5"}, STAGE, {"UpdateStage"}),
    ({"NWCHAT_STAGE__THROTTLE_BURST": "44"}, STAGE, {"UpdateStage"}),
    ({"NWCHAT_LOGS__RETENTION_DAYS": "7"}, GROUPS, {"PutRetentionPolicy"}),
    *(
        (
            {name: value},
            [*of, RELEASE],
            {"UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"},
        )
        for name, value, of in (
            ("NWCHAT_FUNCTIONS__MEMORY_MB", "512", OF_SMALL),
            ("NWCHAT_FANOUT__MEMORY_MB", "512", OF_FANOUT),
            ("NWCHAT_FANOUT__TIMEOUT_SECONDS", "60", OF_FANOUT),
            ("NWCHAT_FANOUT__THRESHOLD", "50", OF_MESSAGE),
            ("NWCHAT_SENDING__RESERVE_RATE", "50", OF_MESSAGE),
            ("NWCHAT_TABLES__RETENTION_DAYS", "7", OF_MESSAGE),
            ("NWCHAT_CHAT__RATE_MESSAGES", "5", OF_MESSAGE),
        )
    ),
    (
        {"NWCHAT_CHAT__ALLOWED_ORIGINS": "https://example.com"},
        [*OF_CONNECT, HISTORY, RELEASE],
        {"UpdateApi", "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"},
    ),
    ({"NWCHAT_HISTORY__REQUEST_RATE": "33.5"}, [HISTORY], {"UpdateStage"}),
    ({"NWCHAT_HISTORY__REQUEST_BURST": "44"}, [HISTORY], {"UpdateStage"}),
    (
        {"NWCHAT_FUNCTIONS__ARCHITECTURE": "x86_64"},
        [*ALIASES, *FUNCTIONS, RELEASE],
        {"UpdateFunctionCode", "PublishVersion", "UpdateAlias"},
    ),
]


def changed(changes: list[Any]) -> list[tuple[str, str]]:
    """Kinds and names; a release's is whatever its fingerprint is."""
    return [(each["kind"], "ID" if each["kind"] == "release" else each["name"]) for each in changes]


@pytest.mark.parametrize(("settings", "touched", "calls"), SETTINGS, ids=lambda value: str(min(value)))
def test_only_affected_resources_are_updated(
    operator: Operator, settings: dict[str, str], touched: list[tuple[str, str]], calls: set[str]
) -> None:
    ran = operator.run("deploy", "--json", **settings)
    expected = [(kind, name.replace("CHAT", f"nwchat-{operator.name}")) for kind, name in touched]
    assert sorted(changed(ran.data["changes"])) == sorted(expected)
    assert {each["action"] for each in ran.data["changes"] if each["kind"] != "release"} == {"update"}
    assert set(ran.resource_writes) == calls
    assert operator.plan(**settings) == []
    assert sorted(changed(operator.deploy()["changes"])) == sorted(expected)
    assert operator.plan() == []


def test_a_release_is_what_runs(operator: Operator) -> None:
    """It changes with what runs, not with limits or tags, and comes back when that does."""
    first = operator.deploy()["release"]
    assert operator.deploy(NWCHAT_STAGE__THROTTLE_RATE="9")["release"] == first
    assert operator.deploy(NWCHAT_TAGS__team="chat")["release"] == first
    other = operator.deploy(NWCHAT_FUNCTIONS__MEMORY_MB="512")["release"]
    assert other != first
    # It runs, whatever is configured.
    assert operator.json("status")["release"] == other
    assert operator.deploy()["release"] == first
    assert operator.json("status")["release"] == first


def test_operator_tags_are_added_and_removed_everywhere(operator: Operator) -> None:
    came = operator.deploy(NWCHAT_TAGS__Team="chat + co", NWCHAT_TAGS__cost="a")
    assert came["applied"] == 22
    added = [(each["name"], each["before"], each["after"]) for each in came["changes"][0]["fields"]]
    assert added == [("tags.Team", None, "chat + co"), ("tags.cost", None, "a")]
    changed_one = operator.deploy(NWCHAT_TAGS__Team="another")
    assert changed_one["applied"] == 22
    assert operator.deploy()["applied"] == 22
    assert operator.plan() == []


def test_only_one_kind(operator: Operator) -> None:
    settings = {"NWCHAT_STAGE__THROTTLE_RATE": "5", "NWCHAT_LOGS__RETENTION_DAYS": "3"}
    done = operator.json("deploy", "--only", "stage", **settings)
    assert (changed(done["changes"]), done["applied"]) == (STAGE, 1)
    left = operator.plan(**settings)
    assert {kind for kind, _ in changed(left)} == {"log-group"}
    done = operator.json("deploy", "--only", "log-group", "--only", "table", **settings)
    assert done["applied"] == 5
    assert operator.plan(**settings) == []
    operator.deploy()


def test_only_refuses_kinds_that_need_others(operator: Operator) -> None:
    delete_function(operator)
    ran = operator.run("deploy", "--only", "alias")
    assert (ran.code, ran.writes) == (1, [])
    assert ran.error is not None
    assert (ran.error.code, ran.error.message) == (
        "only_incomplete",
        "alias nwchat-e2e-settings-connect:live needs what is not there yet, or not as wanted: function",
    )
    assert ran.error.hint == "deploy without --only, or add --only function"
    operator.deploy()
    assert operator.plan() == []


def test_only_never_publishes_what_is_out_of_date(operator: Operator) -> None:
    """Versions and deployments are snapshots: one of what has drifted would bear the name of a good one."""
    alias_moved(operator)
    name = operator.resource_name("message")
    operator.root("lambda").update_function_configuration(FunctionName=name, MemorySize=640)
    ran = operator.run("deploy", "--only", "alias")
    assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "only_incomplete")
    assert operator.json("deploy", "--only", "alias", "--only", "function")["applied"] == 2
    assert operator.plan() == []

    # API Gateway deletes no deployment that a stage serves.
    stage_redeployed(operator)
    served = operator.api.get_stage(ApiId=operator.api_id, StageName="production")["DeploymentId"]
    route_retargeted(operator)
    for each in operator.api.get_deployments(ApiId=operator.api_id)["Items"]:
        if each["DeploymentId"] != served:
            operator.api.delete_deployment(ApiId=operator.api_id, DeploymentId=each["DeploymentId"])
    for only in (["deployment"], ["deployment", "stage"]):
        ran = operator.run("deploy", *(word for kind in only for word in ("--only", kind)))
        assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "only_incomplete")
    assert operator.deploy()["applied"] == 4
    assert operator.plan() == []


def test_only_records_no_release_that_never_ran(operator: Operator) -> None:
    ran = operator.run("deploy", "--only", "release", NWCHAT_FUNCTIONS__MEMORY_MB="704")
    assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "only_incomplete")


def test_deletions_require_confirmation(operator: Operator) -> None:
    route_added(operator)
    route_deleted(operator)
    for argv in (["deploy"], ["deploy", "--json"]):
        ran = operator.run(*argv)
        assert (ran.code, ran.writes) == (7, [])
        assert ran.error is not None
        assert "--yes" in ran.error.hint
    assert operator.json("deploy", "--yes")["applied"] == 2
    assert operator.plan() == []
