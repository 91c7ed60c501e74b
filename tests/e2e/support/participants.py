"""People who are in the chat while something is done to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from websockets.sync.client import connect

from tests.e2e.support.chat import SECONDS, Player, unique
from tests.e2e.support.forked_deploys import Line, forks
from tests.e2e.support.kill_points import Killing
from tests.e2e.support.operator import Operator
from tests.e2e.support.state_dump import NEWEST


class Talk:
    """Two people who stay connected and hear each other whatever is done to the chat."""

    def __init__(self, chat: Operator) -> None:
        self._chat = chat
        self._stack = ExitStack()
        self._two = [
            Player(self._stack.enter_context(connect(chat.url, proxy=None, open_timeout=SECONDS)))
            for _ in range(2)
        ]
        self.said: list[str] = []

    def exchange(self) -> None:
        """Each says something that both hear."""
        for sender in self._two:
            self.said.append(unique())
            sender.send(self.said[-1])
            for each in self._two:
                each.hear(self.said[-1])

    def end(self) -> None:
        """Holds that the history has all of it, once."""
        pages = self._chat.root("dynamodb").get_paginator("scan")
        rows = [
            row for page in pages.paginate(TableName=self._chat.called("messages")) for row in page["Items"]
        ]
        kept = [row["message"]["S"] for row in rows if "message" in row]
        assert sorted(kept) == sorted(self.said)
        self._stack.close()


@contextmanager
def talked(chat: Operator, one: Line, other: Line) -> Iterator[Killing]:
    """A chat that was deployed as `one` and as `other` in turn, and is `one` now, with two who talk in it
    whenever something has been done to it. In the end, history has all that they said."""
    with forks({**chat.sandbox.environ, **chat.environ}, chat.home) as made:
        killing = Killing(chat, made)
        # As many versions as a dump has, so that there are as many each time.
        for line in (one, other) * (NEWEST // 2):
            killing.done(line)
        killing.done(one)
        talk = Talk(chat)
        killing.meanwhile = talk.exchange
        yield killing
        talk.end()
    chat.destroy()
