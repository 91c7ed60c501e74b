"""An account whose limit is lower than what a message to the room needs: everyone receives the message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from nwchatctl.operations import sandbox as operations
from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.state import SandboxPaths
from tests.e2e.support.chat import Chat, Player, unique
from tests.e2e.support.sandbox import Sandbox, free_port

PLAYERS = 16
THROTTLED = "Too Many Requests"
LIMITS: dict[str, float | None] = {"posts_rate": 5, "posts_burst": 3}
"""Of these requests each new connection and each message takes one, too. A message to the room takes
16, which no machine is so slow to send that the rate suffices."""


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Chat]:
    sandbox = Sandbox(SandboxPaths(tmp_path / "a sandbox"), free_port())
    operations.start(sandbox.state, sandbox.port, RuleValues(chosen=LIMITS))
    made = Chat(sandbox, "e2e-throttled")
    made.deploy()
    yield made
    process.down(sandbox.state)


def connect(chat: Chat, sockets: ExitStack) -> Player:
    """A player who connects again while the account is throttled, as clients do."""
    while True:
        try:
            (player,) = sockets.enter_context(chat.players(1))
        except InvalidStatus as refused:
            assert refused.response.status_code == 429
            time.sleep(1 / 5)
        else:
            return player


def send(player: Player, text: str) -> None:
    """Sends a message, again while the account is throttled, and receives it."""
    while True:
        player.send(text)
        if (
            player.receive_until(lambda frame: frame.get("message") in (text, THROTTLED))[-1]["message"]
            == text
        ):
            return


def test_everyone_receives_what_is_throttled_at_first(throttled: Chat) -> None:
    with ExitStack() as sockets:
        players = [connect(throttled, sockets) for _ in range(PLAYERS)]
        text = unique()
        send(players[0], text)
        for each in players[1:]:
            each.receive_text(text)
        announced = unique()
        sent = throttled.json("broadcast", announced)
        for each in players:
            each.receive_text(announced)
    assert (sent["delivered"], sent["failed"], sent["buffer_full"]) == (PLAYERS, 0, 0)
    assert sent["throttled_retries"] > 0, "the account was not throttled"
