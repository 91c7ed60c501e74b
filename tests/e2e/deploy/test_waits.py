"""What AWS makes a deploy wait for: tables, roles, recovery, and names that are not free at once.

In a sandbox of its own, where these take seconds."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from nwchatctl.aws.dynamodb import recovery
from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.support.console import queue, tokens
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox, free_port

PACE: dict[str, float | None] = {
    "table_ready": 0.7,
    "recovery_ready": 600.0,
    "role_visible": 0.7,
    "attributes_visible": 0.3,
    "parameter_recreation": 5.0,
    "queue_recreation": 5.0,
}
"""Seconds. A wait is said to the operator after 3."""


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Sandbox(SandboxPaths(tmp_path_factory.mktemp("waits") / "a sandbox"), free_port())
    operations.start(made.state, made.port, RuleValues(chosen=PACE))
    yield Operator(made, "e2e-waits", tmp_path_factory.mktemp("home"), NWCHAT_AUTH__MODE="token")
    process.down(made.state)


def create_connections(operator: Operator) -> None:
    operator.root("dynamodb").create_table(
        TableName=operator.resource_name("connections"),
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in operator.tags.items()],
    )


def recoveries(operator: Operator) -> dict[str, str]:
    client = operator.root("dynamodb")
    return {
        each: client.describe_continuous_backups(TableName=operator.resource_name(each))[
            "ContinuousBackupsDescription"
        ]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        for each in ("connections", "messages", "deploys")
    }


def command(operator: Operator, argv: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nwchatctl", *argv],
        cwd=operator.home,
        env={**operator.sandbox.environ, **operator.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_table_that_is_being_created_breaks_no_plan(operator: Operator) -> None:
    create_connections(operator)
    changes = operator.plan()
    assert ("table", operator.resource_name("connections")) in {
        (each["kind"], each["name"]) for each in changes
    }
    # It is there, and gets its expiry.
    (table,) = [each for each in changes if each["name"] == operator.resource_name("connections")]
    assert (table["action"], [each["name"] for each in table["fields"]]) == ("update", ["ttl_attribute"])


def test_chat_works_before_recovery_is_there(operator: Operator) -> None:
    """Ctrl-C while AWS does not offer it leaves a whole chat."""
    with command(operator, ["deploy"]) as deploy:
        assert deploy.stderr is not None
        lines = []
        for line in deploy.stderr:
            lines.append(line)
            if "waiting until AWS offers point-in-time recovery for the new table" in line:
                break
        # Everything else has been done by then.
        done = [each for each in lines if re.search(r" (created|updated) \(", each)]
        deploy.send_signal(signal.SIGINT)
        rest = deploy.stderr.read()
    assert deploy.returncode == 130, (lines, rest)
    assert any(each.startswith("release ") for each in done)
    left = operator.plan()
    assert {(each["action"], each["kind"]) for each in left} == {("create", "recovery")}
    assert operator.json("smoke")["ok"] is True


def test_recovery_that_takes_too_long_leaves_a_working_chat(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "AVAILABLE_SECONDS", 0.2)
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.1)
    operator.destroy()
    ran = operator.run("deploy", "--yes")
    assert (ran.code, ran.error and ran.error.code) == (1, "recovery_unavailable")
    assert {each["kind"] for each in operator.plan()} == {"recovery"}
    assert operator.json("smoke")["ok"] is True


def test_next_deploy_turns_recovery_on(operator: Operator) -> None:
    # A server that has just started knows no new tables.
    process.down(operator.sandbox.state)
    operations.start(operator.sandbox.state, operator.sandbox.port, RuleValues(chosen=PACE))
    assert operator.deploy()["applied"] == 2
    assert recoveries(operator) == {"connections": "DISABLED", "messages": "ENABLED", "deploys": "ENABLED"}
    assert operator.plan() == []


def test_names_that_are_not_free_are_awaited(operator: Operator) -> None:
    tokens.keys_deleted(operator)
    queue.deleted(operator)
    ran = operator.run("deploy", "--yes")
    assert (ran.code, operator.plan()) == (0, [])
    assert re.search("waiting until the name of parameter .*token-keys is free again", ran.err)
    assert re.search("waiting until the name of queue .*-dead-letters is free again", ran.err)


def test_status_of_a_chat_with_a_table_that_is_being_created(operator: Operator) -> None:
    client, name = operator.root("dynamodb"), operator.resource_name("connections")
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    create_connections(operator)
    status = operator.json("status")
    assert client.describe_table(TableName=name)["Table"]["TableStatus"] == "CREATING"
    assert status["connections"] is None
    assert operator.deploy()["applied"] == 1


def test_commands_at_once_are_done_or_told_about_each_other(operator: Operator) -> None:
    """Whatever is being created or deleted when they read it."""
    deploy = ["deploy", "--yes", "--json"]
    destroy = ["destroy", "--delete-data", "--confirm", operator.name, "--json"]

    def run(argv: Sequence[str]) -> tuple[str, int, str]:
        with command(operator, argv) as started:
            _, err = started.communicate(timeout=120)
        code = json.loads(err.splitlines()[-1])["error"]["code"] if started.returncode else ""
        return argv[0], started.returncode, code

    reads = [["status", "--json"], ["plan", "--json"]]
    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(run, [destroy, deploy, deploy, destroy, *reads]))
    refused = {(name, code) for name, returned, code in ended if returned}
    assert {code for _, code in refused} <= {"locked", "changed_meanwhile", "not_deployed"}, ended
    assert {name for name, code in refused if code == "not_deployed"} <= {"status"}, ended
    assert {name for name, returned, _ in ended if not returned} & {"deploy", "destroy"}
    operator.destroy()
    assert operator.resources() == set()
