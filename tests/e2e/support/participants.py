"""Participants who stay connected while the chat is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from websockets.sync.client import connect

from tests.e2e.support.chat import SECONDS, Player, unique
from tests.e2e.support.forked_deploys import CommandLine, forks
from tests.e2e.support.kill_points import KillRunner
from tests.e2e.support.operator import Operator
from tests.e2e.support.state_dump import NEWEST


class Conversation:
    """Two connected participants who exchange messages."""

    def __init__(self, chat: Operator) -> None:
        self._chat = chat
        self._stack = ExitStack()
        self._two = [
            Player(self._stack.enter_context(connect(chat.url, proxy=None, open_timeout=SECONDS)))
            for _ in range(2)
        ]
        self.sent: list[str] = []

    def exchange(self) -> None:
        """Each participant sends a message that both receive."""
        for sender in self._two:
            self.sent.append(unique())
            sender.send(self.sent[-1])
            for each in self._two:
                each.receive_text(self.sent[-1])

    def end(self) -> None:
        """Asserts that the history has each message once, and disconnects."""
        pages = self._chat.root("dynamodb").get_paginator("scan")
        rows = [
            row
            for page in pages.paginate(TableName=self._chat.resource_name("messages"))
            for row in page["Items"]
        ]
        kept = [row["message"]["S"] for row in rows if "message" in row]
        assert sorted(kept) == sorted(self.sent)
        self._stack.close()


@contextmanager
def with_participants(chat: Operator, one: CommandLine, other: CommandLine) -> Iterator[KillRunner]:
    """A chat that was deployed as `one` and `other` in turn and is `one` now. Two participants exchange
    messages after each kill; at the end, the history has all their messages."""
    with forks({**chat.sandbox.environ, **chat.environ}, chat.home) as made:
        kill_runner = KillRunner(chat, made)
        # Publishes as many versions as a dump compares, so that every dump has the same number.
        for line in (one, other) * (NEWEST // 2):
            kill_runner.run(line)
        kill_runner.run(one)
        talk = Conversation(chat)
        kill_runner.after_kill = talk.exchange
        yield kill_runner
        talk.end()
    chat.destroy()
