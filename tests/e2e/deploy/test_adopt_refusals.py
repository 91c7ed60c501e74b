"""What `adopt` does not do, when it asks, and that it goes on from wherever it was stopped."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nwchatctl.aws.cloud import Cloud
from nwchatctl.deploy.changes import Change, changed_key
from tests.e2e.support.chat import SECONDS, Player
from tests.e2e.support.legacy_chat import LegacyChat
from tests.e2e.support.operator import Operator
from tests.e2e.support.policies import document, sid_actions, without
from tests.e2e.support.sandbox import Sandbox

DOCUMENTS = {name: document(name) for name in ("deploy", "adopt")}


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(sandbox, "e2e-taker", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def legacy_chat(operator: Operator) -> Iterator[LegacyChat]:
    """Of another name than the defaults', so that whatever looks for those would not find it."""
    made = LegacyChat(operator, "dojo").make()
    yield made
    made.remove()
    assert operator.resources() == set()


def replaced(flags: list[str], flag: str, value: str) -> list[str]:
    where = flags.index(flag) + 1
    return [*flags[:where], value, *flags[where + 1 :]]


def test_without_a_terminal_the_id_is_needed_and_the_rest_has_defaults(
    operator: Operator, legacy_chat: LegacyChat
) -> None:
    for argv in (["adopt"], ["adopt", "--json"], ["adopt", "--yes"]):
        ran = operator.run(*argv)
        assert ran.error is not None
        assert (ran.code, ran.error.code, ran.calls) == (2, "usage", ())
        assert "--api-id" in ran.error.message
    ran = operator.run("adopt", "--api-id", legacy_chat.api_id)
    assert ran.error is not None
    assert (ran.code, ran.error.message) == (4, "there is no table chat in this account and region")


def test_a_dry_run_makes_no_write_call(operator: Operator, legacy_chat: LegacyChat) -> None:
    legacy_chat.put({"connectionid": {"S": "somebody="}})
    ran = operator.run("adopt", *legacy_chat.flags, "--dry-run")
    assert (ran.code, set(ran.writes)) == (0, {"Scan"})
    lines = ran.out.splitlines()
    api_line = "~ api nwchat-e2e-taker  display_name dojo → nwchat-e2e-taker"
    assert api_line in lines
    assert "- route sayLoud" in lines
    assert lines[-4:] == [
        "42 to create, 6 to update, 4 to delete",
        "1 row of table dojo to be taken over",
        "the tag nwchat:adopted-by=e2e-taker on dojo, dojo-connect, dojo-disconnect, dojo-on-message",
        f"deployment {legacy_chat.deployment} is kept, to go back to",
    ]
    data = operator.json("adopt", *legacy_chat.flags, "-n")
    assert (data["applied"], data["dry_run"], data["rows"]) == (0, True, {"found": 1})
    assert operator.resources() == set()


def test_missing_confirmation_is_exit_7(operator: Operator, legacy_chat: LegacyChat) -> None:
    for argv in ([], ["--json"]):
        ran = operator.run("adopt", *legacy_chat.flags, *argv)
        assert ran.error is not None
        assert (ran.code, ran.error.hint, set(ran.writes)) == (7, "give --yes", {"Scan"})
    assert operator.resources() == set()


@pytest.mark.parametrize(
    ("flag", "value", "code", "message"),
    [
        ("--api-id", "zzzzzzzzzz", 4, "there is no API zzzzzzzzzz"),
        ("--table", "no-such", 4, "there is no table no-such"),
        ("--connect-function", "no-such", 4, "there is no function no-such"),
        ("--message-function", "no-such", 4, "there is no function no-such"),
        ("--table", "nwchat-e2e-taker-connections", 1, "belongs to a chat of nwchatctl's own"),
        ("--disconnect-function", "nwchat-x-disconnect", 1, "belongs to a chat of nwchatctl's own"),
    ],
)
def test_absent_resource_is_named_with_its_flag(
    operator: Operator, legacy_chat: LegacyChat, flag: str, value: str, code: int, message: str
) -> None:
    ran = operator.run("adopt", *replaced(legacy_chat.flags, flag, value), "--yes")
    assert ran.error is not None
    assert (ran.code, ran.writes) == (code, [])
    assert message in ran.error.message
    assert flag in ran.error.hint


def test_opening_a_guarded_chat_needs_its_flag(operator: Operator, legacy_chat: LegacyChat) -> None:
    route = next(
        each
        for each in operator.api.get_routes(ApiId=legacy_chat.api_id)["Items"]
        if each["RouteKey"] == "$connect"
    )

    def guard(kind: str) -> None:
        operator.api.update_route(ApiId=legacy_chat.api_id, RouteId=route["RouteId"], AuthorizationType=kind)

    guard("AWS_IAM")
    try:
        ran = operator.run("adopt", *legacy_chat.flags, "--yes")
        assert ran.error is not None
        assert (ran.code, set(ran.writes)) == (7, {"Scan"})
        assert ran.error.hint.startswith("give --open, or set auth.mode")
        (opens,) = operator.json("adopt", *legacy_chat.flags, "-n")["consequences"]
        assert (opens["code"], opens["flag"]) == ("opens_chat", "--open")
    finally:
        guard("NONE")


def test_another_stage_or_key_is_named(operator: Operator, legacy_chat: LegacyChat) -> None:
    ran = operator.run("adopt", *legacy_chat.flags, "--yes", NWCHAT_STAGE__NAME="prod")
    assert ran.error is not None
    assert (ran.code, ran.writes) == (4, [])
    assert ran.error.message == "the API has no stage prod; it has: production"
    assert "stage.name" in ran.error.hint
    ran = operator.run("adopt", *legacy_chat.flags, "--yes", "--table-key", "id")
    assert ran.error is not None
    assert (ran.code, ran.error.code, ran.writes) == (1, "table_key", [])
    assert "--table-key connectionid" in ran.error.hint


def test_http_api_is_refused(operator: Operator, legacy_chat: LegacyChat) -> None:
    other = operator.api.create_api(Name="site", ProtocolType="HTTP")["ApiId"]
    try:
        ran = operator.run("adopt", *replaced(legacy_chat.flags, "--api-id", other), "--yes")
        assert ran.error is not None
        assert (ran.code, ran.error.code, ran.writes) == (1, "api_not_websocket", [])
    finally:
        operator.api.delete_api(ApiId=other)


def test_api_of_another_chat_is_refused(operator: Operator, legacy_chat: LegacyChat, tmp_path: Path) -> None:
    """Its API; and ours, where we have one, is enough."""
    other = Operator(operator.sandbox, "e2e-owner", tmp_path)
    other.json("deploy", "--only", "api", "--yes")
    try:
        ran = operator.run("adopt", *replaced(legacy_chat.flags, "--api-id", other.api_id), "--yes")
        assert ran.error is not None
        assert (ran.code, ran.error.code, ran.writes) == (1, "not_ours", [])
        assert "e2e-owner" in ran.error.message
        ran = other.run("adopt", *legacy_chat.flags, "--yes")
        assert ran.error is not None
        assert (ran.code, ran.error.code, ran.writes) == (1, "already_deployed", [])
        assert other.api_id in ran.error.message
    finally:
        other.destroy()


# Asking -----------------------------------------------------------------------------------------


def at_a_terminal(operator: Operator, *argv: str, answers: dict[str, str]) -> tuple[int, str]:
    """Runs the command at a terminal of its own and types an answer to each question."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nwchatctl", *argv],
        cwd=operator.home,
        env={**operator.sandbox.environ, **operator.environ, "TERM": "dumb"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    screen, position, left = "", 0, dict(answers)
    try:
        while data := _read(master):
            screen += data.decode()
            for question in [each for each in left if each in screen[position:]]:
                position = len(screen)
                os.write(master, f"{left.pop(question)}\n".encode())
        return process.wait(SECONDS), screen.replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # Linux's word for the end of a terminal
        return b""


def test_terminal_asks_for_each_value_and_for_confirmation(
    operator: Operator, legacy_chat: LegacyChat
) -> None:
    answers = {
        "Id of the API to take over": legacy_chat.api_id,
        "Table of connections [chat]": "dojo",
        "Function for $connect [chat-connect]": "dojo-connect",
        "Function for $disconnect [chat-disconnect]": "dojo-disconnect",
        "[y/N]": "n",
    }
    code, screen = at_a_terminal(operator, "adopt", "--message-function", "dojo-on-message", answers=answers)
    assert f"{legacy_chat.api_id}  dojo  stages: production" in screen
    assert "Function for messages" not in screen
    assert "~ route $default" in screen
    assert f"Take over API {legacy_chat.api_id} (dojo)? [y/N] n" in screen
    assert (code, screen.splitlines()[-1]) == (7, "error: declined, nothing was changed")
    assert operator.resources() == set()


# Stopped half-way -------------------------------------------------------------------------------


@pytest.fixture
def old_chat(operator: Operator) -> Iterator[LegacyChat]:
    made = LegacyChat(operator, "broken").make()
    yield made
    operator.destroy()
    made.remove()


def check_adoption(operator: Operator, old_chat: LegacyChat) -> None:
    with old_chat.player() as player:
        again = operator.json("adopt", *old_chat.flags, "--yes")
        assert again["endpoints"]["websocket"] == old_chat.url
        player.send({"message": "still here"})
        assert player.receive_text("still here")["type"] == "message"
    assert operator.plan() == []
    kept = operator.api.get_deployment(ApiId=old_chat.api_id, DeploymentId=old_chat.deployment)
    assert kept["Description"] == f"nwchatctl:adopted-{old_chat.deployment}"
    assert again["way_back"] == [old_chat.deployment]
    assert operator.run("adopt", *old_chat.flags).out.startswith("nothing to do: ")
    for name in old_chat.functions:
        arn = operator.arn("lambda", f"function:{name}")
        assert operator.root("lambda").list_tags(Resource=arn)["Tags"] == {"nwchat:adopted-by": operator.name}


def test_client_that_connects_during_adoption_is_adopted(
    operator: Operator, old_chat: LegacyChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let in by the old function, after the rows were copied and before the route has moved."""
    apply = Cloud.apply
    with ExitStack() as stack:
        late: list[Player] = []

        def connect_before_change(cloud: Cloud, change: Change) -> None:
            if changed_key(change) == ("integration", "connect"):
                late.append(stack.enter_context(old_chat.player()))
            apply(cloud, change)

        early = stack.enter_context(old_chat.player())
        with monkeypatch.context() as patch:
            patch.setattr(Cloud, "apply", connect_before_change)
            done = operator.json("adopt", *old_chat.flags, "--yes")
        assert done["rows"] == {"found": 1, "copied": 2, "present": 0, "expired": 0, "unusable": 0}
        operator.json("broadcast", "welcome")
        for each in (early, *late):
            each.receive_text("welcome")
        assert len(late) == 1


class SimulatedKill(Exception):
    """What ends a run."""


@pytest.mark.parametrize("at", ["api", "function", "permission", "route", "deployment", "stage"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_adoption_killed_at_a_change_is_resumed(
    operator: Operator, old_chat: LegacyChat, monkeypatch: pytest.MonkeyPatch, at: str, when: str
) -> None:
    apply = Cloud.apply

    def fail_at_change(cloud: Cloud, change: Change) -> None:
        stop = changed_key(change)[0] == at
        if not (stop and when == "before"):
            apply(cloud, change)
        if stop:
            raise SimulatedKill

    with old_chat.player() as player:
        with monkeypatch.context() as patch:
            patch.setattr(Cloud, "apply", fail_at_change)
            with pytest.raises(SimulatedKill):
                operator.run("adopt", *old_chat.flags, "--yes")
        # Whoever is connected is heard, whichever functions are at work; here each route is live at once.
        player.send({"message": "hello?"})
        assert player.receive_text("hello?")["message"] == "hello?"
        check_adoption(operator, old_chat)
        player.send({"message": "and now?"})
        assert player.receive_text("and now?")["type"] == "message"


PERMISSIONS = [
    ("deploy", "Apis", "apigateway:POST", "nwchatctl policy deploy"),
    ("deploy", "OwnResources", "dynamodb:PutItem", "nwchatctl policy deploy"),
    *(
        ("adopt", sid, action, "nwchatctl policy " if sid.startswith("Adopted") else "nwchatctl policy adopt")
        for sid, action in sorted(sid_actions(DOCUMENTS["adopt"]))
    ),
]


@pytest.mark.parametrize(("policy", "sid", "action", "named"), PERMISSIONS, ids=lambda value: str(value)[:40])
def test_missing_permission_is_named_and_adoption_resumes(
    operator: Operator, old_chat: LegacyChat, policy: str, sid: str, action: str, named: str
) -> None:
    """Each action of the adoption's own policy is needed."""
    old_chat.put({"connectionid": {"S": "somebody="}})
    lacking = {policy: without(DOCUMENTS[policy], sid, action)}
    with operator.holding(**{**DOCUMENTS, **lacking}):
        ran = operator.run("adopt", *old_chat.flags, "--yes")
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (3, "access_denied")
    assert action in ran.error.message
    assert named in ran.error.hint
    check_adoption(operator, old_chat)


def test_what_was_removed_after_an_adoption_is_only_mentioned(
    operator: Operator, old_chat: LegacyChat
) -> None:
    operator.json("adopt", *old_chat.flags, "--yes")
    operator.root("lambda").delete_function(FunctionName="broken-connect")
    operator.root("dynamodb").delete_table(TableName="broken")
    ran = operator.run("adopt", *old_chat.flags)
    assert ran.code == 0
    assert ran.out.startswith("nothing to do: ")
    assert [line for line in ran.err.splitlines() if line.startswith("warning: ")] == [
        "warning: there is no table broken in this account and region",
        "warning: there is no function broken-connect in this account and region",
    ]


def test_destroy_keeps_legacy_resources(operator: Operator, old_chat: LegacyChat) -> None:
    operator.json("adopt", *old_chat.flags, "--yes")
    operator.destroy()
    assert operator.resources() == set()
    assert operator.root("dynamodb").describe_table(TableName="broken")["Table"]["TableStatus"] == "ACTIVE"
    for name in old_chat.functions:
        operator.root("lambda").get_function(FunctionName=name)
