"""Releases come and go under sockets that stay: nobody is cut off, and nothing is lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from nwchatctl.deploy.releases import VERSIONS_KEPT
from tests.e2e.support.chat import SECONDS, eventually
from tests.e2e.support.operator import Operator
from tests.e2e.support.policies import document, without
from tests.e2e.support.sandbox import Sandbox

SMALL = ("connect", "disconnect", "history", "message")
"""The functions that `BIG` is about: `fanout` has a memory of its own."""

BIG = {"NWCHAT_FUNCTIONS__MEMORY_MB": "512"}


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-releases", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def listed(operator: Operator) -> list[tuple[str, bool]]:
    return [(each["id"], each["current"]) for each in operator.json("releases")["releases"]]


def test_the_list_says_what_was_deployed_when_by_whom_and_why(operator: Operator) -> None:
    first = operator.deploy()["release"]
    second = operator.deploy(**BIG)["release"]
    found = operator.json("releases")["releases"]
    assert [(each["id"], each["current"], each["available"]) for each in found] == [
        (second, True, True),
        (first, False, True),
    ]
    for each in found:
        assert each["by"] == "nwchat-operator"
        assert each["created_at"].endswith("+00:00") or each["created_at"].endswith("Z")
        assert len(each["code_sha256"]) == 44
    assert found[0]["created_at"] > found[1]["created_at"]
    assert [each["changed"] for each in found] == [
        [f"function {operator.resource_name(name)} memory_mb 256 → 512" for name in SMALL],
        [],
    ]
    lines = operator.run("releases").out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [[second, "current"], [first, ""]]
    # What changes no code, no settings of functions and no route is no release.
    operator.deploy(NWCHAT_STAGE__THROTTLE_RATE="9", **BIG)
    assert len(listed(operator)) == 2


def without_domains(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy of a time before the chat had names."""
    text = json.dumps(policy)
    return dict(json.loads(text.replace("::/domainnames", "::/none")))


def test_an_older_policy_sees_no_names_and_says_so(operator: Operator) -> None:
    """Whoever has no name need not be let at any; and a rollback asks for none in either case."""
    with operator.holding(deploy=without_domains(document("deploy"))):
        for argv in (["plan"], ["status"], ["deploy", "--yes"], ["destroy", "--dry-run"]):
            ran = operator.run(*argv)
            assert (ran.code, "nwchatctl policy deploy" in ran.err) == (0, True), argv
        named = {"NWCHAT_DOMAIN__NAME": "chat.denied.example"}
        ran = operator.run("plan", **named)
        assert (ran.code, ran.error and ran.error.code) == (3, "access_denied")
        ran = operator.run("releases", **named)
        assert (ran.code, {"GetDomainNames", "ListCertificates"} & set(ran.calls)) == (0, set())
        ran = operator.run("rollback", listed(operator)[0][0], **named)
        assert (ran.code, {"GetDomainNames", "ListCertificates"} & set(ran.calls)) == (0, set())


def test_rollback_and_forward(operator: Operator) -> None:
    first = operator.deploy()["release"]
    second = operator.deploy(**BIG)["release"]
    versions = published(operator)

    dry = operator.run("rollback", "--dry-run", "--json")
    assert (dry.code, dry.writes, dry.data["release"]) == (0, [], first)
    back = operator.json("rollback")
    assert (back["release"], back["applied"]) == (first, 4)
    assert {(each["kind"], each["action"]) for each in back["changes"]} == {("alias", "update")}
    assert operator.json("status")["release"] == first
    assert listed(operator) == [(second, False), (first, True)]
    again = operator.json("rollback", first[:7])
    assert (again["applied"], again["changes"]) == (0, [])
    ran = operator.run("rollback")
    assert (ran.code, ran.error and ran.error.code) == (4, "no_release")

    # Forward again, by name or to what is configured, and nothing new is published for it.
    assert {each["kind"] for each in operator.plan(**BIG)} == {"alias"}
    assert operator.json("rollback", second)["release"] == second
    assert operator.plan(**BIG) == []
    operator.json("rollback", first)
    assert operator.deploy(**BIG)["release"] == second
    assert operator.plan(**BIG) == []
    assert published(operator) == versions
    assert listed(operator) == [(second, True), (first, False)]

    # An old configuration deployed again is the old release again, and the latest.
    assert operator.deploy()["release"] == first
    assert listed(operator) == [(first, True), (second, False)]
    assert published(operator) == versions


def published(operator: Operator) -> list[str]:
    client, name = operator.root("lambda"), operator.resource_name("message")
    return [each["Version"] for each in client.list_versions_by_function(FunctionName=name)["Versions"]]


def test_routes_go_back_with_the_functions(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment is a snapshot of routes and integrations; the stage moves to the one of the release."""
    from nwchatctl.deploy.desired import chat

    first = operator.deploy()["release"]
    served = stage(operator)
    monkeypatch.setattr(chat, "_TIMEOUT_MS", 28_000)
    second = operator.deploy(**BIG)["release"]
    assert second != first
    assert stage(operator) != served
    back = operator.json("rollback")
    assert {each["kind"] for each in back["changes"]} == {"alias", "stage"}
    assert stage(operator) == served
    assert operator.json("status")["release"] == first
    assert operator.deploy(**BIG)["release"] == second
    assert operator.plan(**BIG) == []


def test_rollback_to_release_without_fanout(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows of all functions but one: they go back, and that one stays, which nothing of it invokes."""
    from nwchatctl.deploy.desired import chat

    operator.destroy()
    whole, release = chat._Chat.state, chat._Chat.release
    with monkeypatch.context() as earlier:
        earlier.setattr(
            chat._Chat,
            "state",
            lambda chat: {
                where: each
                for where, each in whole(chat).items()
                if not re.search("fanout|letters", where[1])
            },
        )
        earlier.setattr(
            chat._Chat,
            "release",
            lambda chat, aliases, *rest: release(
                chat, [each for each in aliases if "fanout" not in each.function], *rest
            ),
        )
        old = operator.deploy(**BIG)["release"]
        assert "function nwchat-e2e-releases-fanout" not in operator.resources()
        assert operator.json("status", **BIG)["dead_letters"] is None
    new = operator.deploy()
    assert {(each["kind"], each["action"]) for each in new["changes"]} >= {
        ("queue", "create"),
        ("async-invoke", "create"),
    }
    back = operator.json("rollback")
    assert (back["release"], back["applied"]) == (old, 4)
    assert operator.json("status")["release"] == old
    assert listed(operator) == [(new["release"], False), (old, True)]
    assert operator.json("smoke")["ok"] is True
    assert operator.deploy()["release"] == new["release"]
    assert operator.plan() == []


def test_failed_rollback_is_resumed(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases are of the one release by then and the stage is of the other: what ran cannot tell."""
    from nwchatctl.deploy.desired import chat

    first = operator.deploy()["release"]
    monkeypatch.setattr(chat, "_TIMEOUT_MS", 28_000)
    operator.deploy(**BIG)
    with operator.holding(deploy=without(document("deploy"), "Apis", "apigateway:PATCH")):
        failed = process(operator, "rollback", "--json")
        assert failed.returncode == 3
        assert "could not update stage production" in failed.stderr
        assert operator.json("status")["release"] is None
        assert "unfinished\trollback by nwchat-operator" in operator.run("status").out
    done = process(operator, "rollback", "--json")
    assert (done.returncode, json.loads(done.stdout)["release"]) == (0, first)
    assert operator.json("status")["release"] == first


def process(operator: Operator, *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a process of its own, whose lock ends with it."""
    return subprocess.run(
        [sys.executable, "-m", "nwchatctl", *argv],
        cwd=operator.home,
        env={**operator.sandbox.environ, **operator.environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stage(operator: Operator) -> str:
    return str(operator.api.get_stage(ApiId=operator.api_id, StageName="production")["DeploymentId"])


def test_an_unknown_release_and_one_whose_parts_are_gone(operator: Operator) -> None:
    first = operator.deploy()["release"]
    operator.deploy(**BIG)
    for name in ("beef", "nonsense"):
        ran = operator.run("rollback", name)
        assert (ran.code, ran.writes, ran.error and ran.error.code) == (4, [], "no_release")
    client, name = operator.root("lambda"), operator.resource_name("message")
    client.delete_function(FunctionName=name, Qualifier="1")
    ran = operator.run("rollback", first)
    assert (ran.code, ran.writes, ran.error and ran.error.code) == (4, [], "release_gone")
    assert [each["available"] for each in operator.json("releases")["releases"]] == [True, False]
    # It is of no use any more, and goes with the next deploy.
    assert [(each["action"], each["kind"]) for each in operator.plan(**BIG)] == [("delete", "release")]
    operator.deploy(**BIG)
    assert len(listed(operator)) == 1


def test_only_the_last_ten_versions_and_five_deployments_are_kept(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nwchatctl.deploy.desired import chat

    for at in range(VERSIONS_KEPT + 2):
        monkeypatch.setattr(chat, "_TIMEOUT_MS", 28_000 + at)
        settings = {"NWCHAT_FUNCTIONS__MEMORY_MB": str(300 + at)}
        # What is too old goes without a question.
        operator.json("deploy", **settings)
        assert operator.plan(**settings) == []
    # The first is $LATEST.
    assert len(published(operator)[1:]) == VERSIONS_KEPT
    assert len(operator.api.get_deployments(ApiId=operator.api_id)["Items"]) == 5
    assert len(listed(operator)) == 5
    # Back to the oldest, and on from there: what is in use stays, whatever its age.
    oldest = listed(operator)[-1][0]
    operator.json("rollback", oldest)
    assert operator.json("status")["release"] == oldest
    operator.json("deploy", NWCHAT_FUNCTIONS__MEMORY_MB="999")
    assert operator.plan(NWCHAT_FUNCTIONS__MEMORY_MB="999") == []


def test_a_snapshot_by_a_setting(operator: Operator) -> None:
    snapped = {"NWCHAT_FUNCTIONS__SNAP_START": "true"}
    changes = operator.deploy(**snapped)["changes"]
    fields = [each["fields"] for each in changes if each["kind"] == "function"]
    assert fields == [[{"name": "snap_start", "before": "off", "after": "on"}]] * 5
    assert operator.plan(**snapped) == []
    alias = operator.root("lambda").get_function(
        FunctionName=operator.resource_name("message"), Qualifier="live"
    )
    assert alias["Configuration"]["SnapStart"] == {
        "ApplyOn": "PublishedVersions",
        "OptimizationStatus": "On",
    }
    assert operator.json("smoke", **snapped)["ok"] is True
    ran = operator.run("plan", NWCHAT_FUNCTIONS__RUNTIME="python3.11", **snapped)
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (3, "config_invalid")
    assert "functions.snap_start needs functions.runtime python3.12 or newer" in ran.error.message


# Under an open socket --------------------------------------------------------------------------


class MessageThread(threading.Thread):
    """Says one message after another in a socket, each once the one before was acked."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(name="talker")
        self._socket = socket
        self._over = threading.Event()
        self.acked: list[str] = []
        self.other: list[Any] = []

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            name = f"m{number}"
            self._socket.send(
                json.dumps({"message": name, "client_id": name, "uname": "t", "sender_id": "1"})
            )
            while True:
                frame = json.loads(self._socket.recv(timeout=SECONDS))
                if frame.get("client_id") == name:
                    self.acked.append(name) if frame["type"] == "ack" else self.other.append(frame)
                    break
                if frame.get("type") != "message":
                    self.other.append(frame)

    def stop(self) -> None:
        self._over.set()
        self.join(SECONDS)

    def more(self, count: int = 3) -> None:
        """Waits until so many more were acked."""
        wanted = len(self.acked) + count
        eventually(lambda: len(self.acked) >= wanted or not self.is_alive(), True)


@contextmanager
def message_thread(url: str) -> Iterator[MessageThread]:
    with connect(url, proxy=None, open_timeout=SECONDS) as socket:
        sender_thread = MessageThread(socket)
        sender_thread.start()
        try:
            yield sender_thread
        finally:
            sender_thread.stop()


def test_socket_keeps_working_through_deploy_rollback_and_deploy(operator: Operator) -> None:
    # More than a talker without a pause may say.
    free = {"NWCHAT_CHAT__RATE_MESSAGES": "100000"}
    operator.deploy(**free)
    with message_thread(operator.url) as sender_thread:
        sender_thread.more()
        operator.deploy(**free, **BIG)
        sender_thread.more()
        operator.json("rollback", **free)
        sender_thread.more()
        operator.deploy(**free, **BIG)
        sender_thread.more()
    assert sender_thread.other == []
    assert not sender_thread.is_alive()
    lines = operator.run("history", "tail", "-n", "10000", "--json", **free).out.splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    # Each once, in order; of the last, whose ack nobody waited for, nothing is known.
    assert messages[: len(sender_thread.acked)] == sender_thread.acked
    assert len(sender_thread.acked) >= 12
