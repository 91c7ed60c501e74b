"""Connections in the order that somebody wants, without holding more than a bounded number. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from itertools import chain, islice

from nwchat.model.rows import Connection
from nwchatctl.chat.connection_rows import last_activity

MOST_SORTED = 10_000
"""Connections that are held to be put in order: some 10 MB."""

Key = Callable[[Connection], tuple[bool, int | str]]

KEYS: dict[str, Key] = {
    "since": lambda each: _first(each.connected_at),
    "seen": lambda each: _first(last_activity(each.connected_at, each.last_seen_at)),
    "user": lambda each: _named(each.sender_id),
    "name": lambda each: _named(each.uname),
    "address": lambda each: _named(each.source_ip),
}
"""The longest connected first; the longest silent first; by text, those without one last."""


def _first(ms: int | None) -> tuple[bool, int]:
    return (False, ms or 0)


def _named(text: str) -> tuple[bool, str]:
    return (not text, text)


def ordered(
    found: Iterable[Connection],
    key: Key | None,
    limit: int | None,
    *,
    unsorted: Callable[[], None] = lambda: None,
    most: int = MOST_SORTED,
) -> Iterator[Connection]:
    """At most `limit` of `found`, the first by `key`; as they come for None, and if they are too many.

    Then `unsorted` is told of it, before the first is given. Reads no more of `found` than it needs.
    """
    if key is None:
        yield from islice(found, limit)
        return
    if limit is not None and limit <= most:
        yield from nsmallest(limit, found, key=key)
        return
    rest = iter(found)
    held = list(islice(rest, most + 1))
    if len(held) <= most:
        yield from sorted(held, key=key)
        return
    unsorted()
    yield from islice(chain(held, rest), limit)
