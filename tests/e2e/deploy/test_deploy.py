"""A deploy makes the whole chat, a second one nothing, and whoever runs it next sees the same chat."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.e2e.support.chat import eventually
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.sandbox import Sandbox

WHERE = {"chat", "stage", "account", "region"}
DEPLOY = WHERE | {"changes", "applied", "release", "endpoints", "duration_seconds"}
STATUS = (DEPLOY - {"applied"}) | {"connections", "drift", "dead_letters"}
MADE = {
    "table": 3,
    "recovery": 2,
    "log-group": 5,
    "queue": 1,
    "api": 1,
    "role": 5,
    "function": 5,
    "alias": 5,
    "async-invoke": 1,
    "history-api": 1,
    "permission": 7,
    "integration": 4,
    "route": 5,
    "deployment": 1,
    "stage": 1,
    "release": 1,
}


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-deploy", tmp_path_factory.mktemp("home"))
    yield made
    made.destroy()


@pytest.fixture(scope="module", autouse=True)
def first(operator: Operator) -> dict[str, object]:
    """The JSON of the first deploy."""
    made: dict[str, object] = operator.deploy()
    return made


def test_first_deploy_creates_all_resources(operator: Operator, first: dict[str, object]) -> None:
    changes = first["changes"]
    assert isinstance(changes, list)
    kinds = [each["kind"] for each in changes]
    assert {kind: kinds.count(kind) for kind in kinds} == MADE
    assert {each["action"] for each in changes} == {"create"}
    assert first["applied"] == len(changes) == 48
    assert first.keys() >= DEPLOY
    assert {key: first[key] for key in WHERE} == {
        "chat": "e2e-deploy",
        "stage": "production",
        "account": ACCOUNT,
        "region": "us-east-2",
    }
    assert re.fullmatch("[0-9a-f]{12}", str(first["release"]))


def test_its_changes_read_alike_in_every_command(operator: Operator, first: dict[str, object]) -> None:
    changed = {"NWCHAT_STAGE__THROTTLE_RATE": "50"}
    expected = {
        "action": "update",
        "kind": "stage",
        "name": "production",
        "fields": [
            {"name": "throttle_rate", "before": "100", "after": "50"},
            # A fifth of it each.
            {"name": "route_settings.$connect", "before": "20/s, burst 200", "after": "10/s, burst 200"},
            {"name": "route_settings.ping", "before": "20/s, burst 200", "after": "10/s, burst 200"},
        ],
    }
    assert operator.json("plan", **changed)["changes"] == [expected]
    assert operator.json("deploy", "--dry-run", **changed)["changes"] == [expected]
    status = operator.json("status", **changed)
    assert (status["changes"], status["drift"]) == ([expected], [expected])
    assert operator.json("destroy", "--dry-run")["changes"][0].keys() == expected.keys()
    assert operator.plan() == []


def test_endpoint_accepts_connections(first: dict[str, object], operator: Operator) -> None:
    endpoints = first["endpoints"]
    assert isinstance(endpoints, dict)
    history = f"{operator.sandbox.endpoint}/_aws/execute-api/{operator.history_id}"
    assert endpoints == {"websocket": operator.url, "history": history, "domain": None}
    with connect(endpoints["websocket"], proxy=None) as socket:
        socket.send('{"action": "ping"}')
        assert json.loads(socket.recv(timeout=60)) == {"type": "pong"}


def test_plan_is_empty_after_deploy(operator: Operator) -> None:
    for argv in (["plan"], ["plan", "--check"]):
        ran = operator.run(*argv)
        assert (ran.code, ran.out) == (0, "nothing to do: the chat is as configured\n")
    ran = operator.run("plan", "--check", "--json")
    assert ran.code == 0
    assert ran.data.keys() >= WHERE | {"changes"}
    assert ran.data["changes"] == []


def test_a_second_deploy_makes_no_write_call(operator: Operator, first: dict[str, object]) -> None:
    ran = operator.run("deploy")
    assert ran.code == 0
    assert ran.out.startswith("nothing to do: the chat is as configured\n")
    # What is asserted below would hold of no calls at all as well.
    assert {"GetApis", "GetStages", "DescribeTable", "GetRole", "ListVersionsByFunction"} <= set(ran.calls)
    assert ran.writes == []
    again = operator.deploy()
    assert again.keys() >= DEPLOY
    assert {key: again[key] for key in ("changes", "applied", "release", "endpoints")} == {
        "changes": [],
        "applied": 0,
        "release": first["release"],
        "endpoints": first["endpoints"],
    }


def test_status_says_the_same(operator: Operator, first: dict[str, object]) -> None:
    ran = operator.run("status", "--check", "--json")
    assert ran.code == 0
    assert ran.data.keys() >= STATUS
    for key in ("release", "endpoints", *WHERE):
        assert ran.data[key] == first[key]
    assert ran.data["drift"] == []
    # The socket of the test before is closed, and its row goes a moment later.
    eventually(lambda: operator.json("status")["connections"], 0)
    assert ran.writes == ["Scan", "Query", "Query"]
    lines = operator.run("status").out.splitlines()
    assert f"websocket\t{operator.url}" in lines
    assert lines[:5] == [
        f"chat\t{operator.name}",
        f"account\t{first['account']}",
        f"region\t{first['region']}",
        "settings\tnone: defaults and NWCHAT_ variables",
        "stage\tproduction",
    ]
    assert lines[-1] == "state\tas configured"
    assert ran.data["settings"] is None
    assert isinstance(ran.data["resources"], int)
    for listed in (operator.run("status", "--all"), operator.run("-v", "status")):
        rows = [line.split("\t") for line in listed.out.splitlines()]
        assert ["stage/production", "ok"] in rows
        keys = [row[0] for row in rows]
        assert (len(set(keys)), [each for each in keys if " " in each]) == (len(keys), [])


def test_settings_file_is_named(operator: Operator, tmp_path: Path) -> None:
    given = tmp_path / "chat.toml"
    given.write_text(f'[chat]\nname = "{operator.name}"\n')
    assert operator.json("--config", str(given), "status")["settings"] == str(given)
    for command in ("deploy", "plan"):
        first_line = operator.run("--config", str(given), command).err.splitlines()[0]
        assert first_line.endswith(f": chat {operator.name}, stage production, settings {given}")
        assert first_line.startswith("account 000000000000, us-east-2")


def test_what_differs_is_status_6_for_scripts(operator: Operator) -> None:
    for command in ("plan", "status"):
        assert operator.run(command, "--check", NWCHAT_STAGE__THROTTLE_BURST="9").code == 6
        assert operator.run(command, NWCHAT_STAGE__THROTTLE_BURST="9").code == 0


def test_a_dry_run_changes_nothing(operator: Operator) -> None:
    ran = operator.run("deploy", "--dry-run", NWCHAT_STAGE__THROTTLE_BURST="9")
    assert (ran.code, ran.writes) == (0, [])
    assert "~ stage production  throttle_burst 200 → 9" in ran.out
    assert ran.out == operator.run("plan", NWCHAT_STAGE__THROTTLE_BURST="9").out


def test_another_stage_name_is_asked_about(operator: Operator) -> None:
    renamed = {"NWCHAT_STAGE__NAME": "beta"}
    (gone,) = operator.json("plan", **renamed)["consequences"]
    assert (gone["code"], gone["flag"]) == ("stage_removed", "--yes")
    new = operator.url.replace("/production", "/beta")
    assert gone["message"].endswith(f"and {operator.url} stops working: clients need {new}")
    ran = operator.run("deploy", **renamed)
    assert ran.error is not None
    assert (ran.code, ran.error.hint, ran.writes) == (7, "give --yes", [])
    assert ran.error.message.endswith(f"{gone['message']}; 1 resource to delete. Deploy?")
    assert "2 to create" in ran.err
    assert ", 1 to delete\n" in ran.err


def test_another_machine_sees_the_same_chat(
    operator: Operator, first: dict[str, object], tmp_path: Path
) -> None:
    """No state but AWS's: another home, another folder, another process."""
    (tmp_path / "home").mkdir()
    (tmp_path / "nwchat.toml").write_text('[chat]\nname = "e2e-deploy"\n')
    environ = {**operator.sandbox.environ, "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "nwchatctl", "deploy", "--json"],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(done.stdout)
    assert (status["changes"], status["applied"]) == ([], 0)
    assert (status["release"], status["endpoints"]) == (first["release"], first["endpoints"])
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["nwchat.toml"]
