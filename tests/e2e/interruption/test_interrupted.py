"""A deploy that is stopped half-way, by whatever, leaves nothing that the next one does not finish."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.policies import document, without
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path: Path) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-stopped", tmp_path)
    yield made
    made.destroy()


def converges(operator: Operator) -> None:
    """Holds that there is a part of the chat, and that a deploy makes it whole."""
    left = operator.plan()
    assert 0 < len(left) < 48
    assert operator.deploy()["applied"] == len(left)
    assert operator.plan() == []
    assert [each["name"] for each in operator.json("smoke")["steps"] if not each["ok"]] == []


# Both long before the end: a function takes a second to become active, and most else waits for it.
@pytest.mark.parametrize(
    ("seen", "number", "code", "word"),
    [("log-group", signal.SIGINT, 130, "interrupted"), ("role", signal.SIGTERM, 143, "terminated")],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_in_the_middle(
    operator: Operator, seen: str, number: signal.Signals, code: int, word: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nwchatctl", "deploy"],
        cwd=operator.home,
        env={**operator.sandbox.environ, **operator.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if re.match(rf"{seen} .* created ", line):
                break
        process.send_signal(number)
        rest = process.stderr.read()
        out = process.stdout.read()
    assert (process.returncode, out) == (code, "")
    assert rest.splitlines()[-1] == f"error: {word}"
    assert "Traceback" not in rest
    converges(operator)


@pytest.mark.parametrize(
    ("sid", "action", "failed"),
    [
        ("NewFunctions", "lambda:CreateFunction", "create function nwchat-e2e-stopped-"),
        ("BoundedRoles", "iam:PutRolePolicy", "create role nwchat-e2e-stopped-"),
        ("OwnResources", "dynamodb:UpdateContinuousBackups", "create recovery nwchat-e2e-stopped-"),
        ("OwnResources", "dynamodb:UpdateTimeToLive", "create table nwchat-e2e-stopped-"),
        ("FunctionPermissions", "lambda:AddPermission", "create permission nwchat-e2e-stopped-"),
    ],
    ids=lambda text: text,
)
def test_failure_reports_completed_changes(operator: Operator, sid: str, action: str, failed: str) -> None:
    with operator.holding(deploy=without(document("deploy"), sid, action)):
        ran = operator.run("deploy", "--yes")
        assert ran.error is not None
        assert (ran.code, ran.error.code) == (3, "access_denied")
        found = re.search(r"^could not (.*?): .* \((\d+) of 48 changes were made\)$", ran.error.message)
        assert found is not None, ran.error.message
        assert found[1].startswith(failed)
        assert action in ran.error.message
        assert ran.error.hint.endswith("what was made stays: run the command again to go on from there")
        assert int(found[2]) == len(re.findall(r" created \(", ran.err))
        # It can be run again as often as one likes, and fails at the same place.
        again = operator.run("deploy", "--yes", "--json")
        assert (again.code, json.dumps(again.out)) == (3, '""')
    converges(operator)
