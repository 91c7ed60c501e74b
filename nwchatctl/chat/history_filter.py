"""Selects messages: by time, user or text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nwchat.model.bans import is_user
from nwchat.model.ids import RANDOM_BYTES, first_ulid, ulid
from nwchat.model.wire import Message


@dataclass(frozen=True, slots=True)
class Span:
    """Ids between two others, both exclusive; None leaves that end open."""

    after: str | None = None
    before: str | None = None


def span(since_ms: int | None, until_ms: int | None) -> Span:
    """The ids from `since_ms` to before `until_ms` (epoch ms)."""
    after = ulid(since_ms - 1, b"\xff" * RANDOM_BYTES) if since_ms else None
    return Span(after, None if until_ms is None else first_ulid(until_ms))


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """`user` is a sender_id or a name, "" for all, compared as bans are; `exact` as tokens' ids are. `grep`
    is searched for in the text."""

    user: str = ""
    grep: re.Pattern[str] | None = None
    exact: bool = False

    def __call__(self, message: Message) -> bool:
        if self.user and not is_user(self.user, message.sender_id, message.uname, exact=self.exact):
            return False
        return self.grep is None or self.grep.search(message.message) is not None

    def __bool__(self) -> bool:
        """Whether the filter excludes anything."""
        return bool(self.user) or self.grep is not None


def newest(newest_first: Iterable[Sequence[Message]], wanted: MessageFilter, number: int) -> list[Message]:
    """The newest `number` messages that match, oldest first; reads no further than needed."""
    found: list[Message] = []
    for page in newest_first:
        found += [each for each in page if wanted(each)][: number - len(found)]
        if len(found) >= number:
            break
    return found[::-1]


def select(pages: Iterable[Sequence[Message]], wanted: MessageFilter) -> Iterator[Message]:
    """The messages that match, in order."""
    return (each for page in pages for each in page if wanted(each))
