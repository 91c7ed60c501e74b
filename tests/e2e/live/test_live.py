"""`make live` against the sandbox: every question has its answer, and nothing stays, even after SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support.sandbox import Sandbox
from tests.live.question_list import QUESTIONS
from tests.paths import ROOT

LISTS = (
    ("apigatewayv2", "get_apis", "Items", "Name"),
    ("apigatewayv2", "get_domain_names", "Items", "DomainName"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_users", "Users", "UserName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("ssm", "describe_parameters", "Parameters", "Name"),
)
"""Service, operation, and where the names are in its answer."""


def account(sandbox: Sandbox) -> set[str]:
    """Everything in the account, whoever made it."""
    found = set()
    for service, operation, items, name in LISTS:
        wanted = {"Scope": "Local"} if operation == "list_policies" else {}
        pages = sandbox.client(service, root=True).get_paginator(operation).paginate(**wanted)
        found |= {
            f"{operation} {each[name] if name else each}" for page in pages for each in page.get(items, [])
        }
    return found


def until(is_true: Callable[[], bool]) -> None:
    """Waits for what takes a few commands of the tool on a loaded machine."""
    deadline = time.monotonic() + 120
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.02)


class Live:
    """Runs of `python -m tests.live --sandbox` with one journal."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self.environ = {**sandbox.environ, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT)}
        self.journal, self.report, self.home = home / "live.jsonl", home / "report.md", home

    def start(self, *options: str) -> subprocess.Popen[str]:
        where = ("--sandbox", "--journal", str(self.journal), "--report", str(self.report))
        return subprocess.Popen(
            [sys.executable, "-m", "tests.live", *where, *options],
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str) -> tuple[int, str]:
        """The exit code and stderr of a run that is awaited."""
        process = self.start(*options)
        _, err = process.communicate(timeout=240)
        return process.returncode, err

    def kill_after(self, kind: str, name: str, *options: str) -> None:
        """Starts a run and kills it once its journal says that it is about to create that."""
        process = self.start("--yes", *options)
        until(lambda: (kind, name) in self.made() or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err

    def made(self) -> set[tuple[str, str]]:
        """What the last run is about to create, as kind and last word of the name."""
        lines = self.lines()
        runs = [line["run"] for line in lines]
        return {
            (line["made"], line["name"].rpartition("-")[2])
            for line in lines
            if "made" in line and line["run"] == runs[-1]
        }

    def lines(self) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text().splitlines() if line.endswith("}")]

    def reported(self) -> dict[str, Any]:
        """The JSON in the report."""
        data: dict[str, Any] = json.loads(self.report.read_text().partition("```json")[2].partition("```")[0])
        return data


@pytest.mark.timeout(600)
def test_every_question_is_answered_and_nothing_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    live, before = Live(sandbox, tmp_path), account(sandbox)

    # Nobody agreed, so that nothing happens.
    code, err = live.run()
    assert (code, "--yes" in err, live.lines()) == (7, True, [])
    assert "expected cost: $0.0" in err

    # Killed once its command deploys a chat, and again with a probe API.
    live.kill_after("chat", "a", "--only", "chat")
    # The killed run's command ends by itself, and may still have made its first roles.
    live.kill_after("API", "probe", "--only", "stage")
    assert account(sandbox) != before

    code, err = live.run("--yes")
    report = live.reported()
    wrong = [each for each in report["questions"] if each["outcome"] != "as expected"]
    assert (wrong, code) == ([], 0), err
    assert [each["id"] for each in report["questions"]] == [each.id for each in QUESTIONS]
    assert all(each["expected"] and each["measured"] for each in report["questions"])
    assert (report["contradicted_rules"], report["left"]) == ([], [])
    assert account(sandbox) == before
    assert (live.journal.stat().st_mode & 0o777, live.report.stat().st_mode & 0o777) == (0o600, 0o600)
    assert "000000000000" not in live.report.read_text()
    done = {line["run"] for line in live.lines() if line.get("done")}
    assert len(done) == 3
    assert done == {line["run"] for line in live.lines()}


def test_a_stopped_run_removes_everything_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    live, before = Live(sandbox, tmp_path), account(sandbox)
    process = live.start("--yes", "--only", "stage")
    until(lambda: ("API", "probe") in live.made() or process.poll() is not None)
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err.splitlines()[-1]) == (130, "stopped")
    assert live.reported()["left"] == []
    assert account(sandbox) == before
