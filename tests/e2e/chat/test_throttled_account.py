"""An account whose limit is lower than what a message to the room needs: everyone receives the message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.support.chat import Chat, unique
from tests.e2e.support.sandbox import Sandbox, free_port

PLAYERS = 16
LIMITS: dict[str, float | None] = {"posts_rate": 40, "posts_burst": 6}
"""Each new connection takes one request of these, and takes longer than one is refilled."""


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Chat]:
    sandbox = Sandbox(SandboxPaths(tmp_path / "a sandbox"), free_port())
    operations.start(sandbox.state, sandbox.port, RuleValues(chosen=LIMITS))
    made = Chat(sandbox, "e2e-throttled")
    made.deploy()
    yield made
    process.down(sandbox.state)


def test_everyone_receives_what_is_throttled_at_first(throttled: Chat) -> None:
    with throttled.players(PLAYERS) as players:
        text = unique()
        players[0].send(text)
        for each in players:
            each.receive_text(text)
        announced = unique()
        sent = throttled.json("broadcast", announced)
        for each in players:
            each.receive_text(announced)
    assert (sent["delivered"], sent["failed"], sent["buffer_full"]) == (PLAYERS, 0, 0)
    assert sent["throttled_retries"] > 0, "the account was not throttled"
