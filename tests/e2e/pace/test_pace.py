"""First deploy, update, rollback, adopt and destroy in a sandbox that takes as long as AWS.

Both chats are built at the same time, because nearly all of the time is spent waiting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.deploy.pace_model import lower_bound
from bench.deploy.recorded_run import RecordedRun, record_run
from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import AWS_PACE, RuleValues
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.support.legacy_chat import LegacyChat
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox, free_port

RULES = RuleValues(AWS_PACE)

MAX_RATIO = 1.5
"""How much longer than waits and quotas alone all commands may take together."""

COMMAND_SECONDS = 400.0


@pytest.fixture
def paced(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(SandboxPaths(tmp_path / "a sandbox"), free_port())
    operations.start(made.state, made.port, RULES)
    yield made
    process.down(made.state)


class PacedChat:
    """One chat, and what its commands took."""

    def __init__(self, sandbox: Sandbox, name: str, home: Path) -> None:
        home.mkdir()
        self.operator = Operator(sandbox, name, home)
        self.home = home
        self.runs: dict[str, RecordedRun] = {}

    def run(self, what: str, *argv: str, **settings: str) -> None:
        """Runs a command whose duration counts."""
        self.runs[what] = self._process(*argv, **settings)

    def json(self, *argv: str) -> Any:
        """The JSON of another command. In a process: two threads share stdout."""
        return json.loads(self._process(*argv, "--json").out)

    def _process(self, *argv: str, **settings: str) -> RecordedRun:
        environ = {**self.operator.sandbox.environ, **self.operator.environ, **settings}
        return record_run(["-q", *argv], environ, self.home, timeout=COMMAND_SECONDS)


def build(sandbox: Sandbox, home: Path) -> PacedChat:
    chat = PacedChat(sandbox, "pace-new", home)
    chat.run("first deploy", "deploy", "--yes")
    chat.run("update", "deploy", "--yes", NWCHAT_FUNCTIONS__MEMORY_MB="384")
    chat.run("rollback", "rollback", "--yes")
    assert chat.json("smoke")["ok"] is True
    chat.run("destroy", "destroy", "--delete-data", "--confirm", "pace-new")
    assert chat.operator.resources() == set()
    return chat


def take_over(sandbox: Sandbox, home: Path) -> PacedChat:
    """A chat whose stage deploys automatically, as the console makes it."""
    chat = PacedChat(sandbox, "pace-old", home)
    legacy = LegacyChat(chat.operator, "old").make()
    api = chat.operator.api
    api.update_stage(ApiId=legacy.api_id, StageName="production", AutoDeploy=True)
    chat.run("adopt", "adopt", *legacy.flags, "--yes")
    assert chat.json("plan")["changes"] == []
    assert "AutoDeploy" not in {
        name
        for name, value in api.get_stage(ApiId=legacy.api_id, StageName="production").items()
        if value is True
    }
    return chat


@pytest.mark.timeout(900)
def test_commands_take_little_longer_than_aws_makes_them_wait(
    paced: Sandbox, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(each, paced, tmp_path / each.__name__) for each in (build, take_over)]
        chats = [each.result() for each in made]
    runs = {what: ran for chat in chats for what, ran in chat.runs.items()}
    bounds = {what: lower_bound(ran.record, RULES).seconds for what, ran in runs.items()}
    took, bound = sum(ran.seconds for ran in runs.values()), sum(bounds.values())
    each = ", ".join(f"{what} {ran.seconds:.1f} s ({bounds[what]:.1f} s)" for what, ran in runs.items())
    record_property(
        "summary",
        f"at AWS's pace (waits and quotas alone): {each}; {took:.0f} s, {took / bound:.2f} times the "
        f"{bound:.0f} s that AWS imposes; {time.monotonic() - began:.0f} s in all",
    )
    # A bound that misses the longest wait of a new chat would prove nothing.
    assert bounds["first deploy"] >= 120
    assert bounds["adopt"] >= 120
    assert took <= MAX_RATIO * bound, each
