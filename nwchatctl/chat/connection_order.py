"""Sorts connections, in bounded memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from itertools import chain, islice

from nwchat.model.rows import Connection
from nwchatctl.chat.connection_rows import last_activity

MAX_SORTED = 10_000
"""The maximum of connections to sort: some 10 MB."""

Key = Callable[[Connection], tuple[bool, int | str]]

KEYS: dict[str, Key] = {
    "since": lambda each: _time_key(each.connected_at),
    "seen": lambda each: _time_key(last_activity(each.connected_at, each.last_seen_at)),
    "user": lambda each: _text_key(each.sender_id),
    "name": lambda each: _text_key(each.uname),
    "address": lambda each: _text_key(each.source_ip),
}
"""Sort keys: oldest connection first; longest inactive first; by text, empty ones last."""


def _time_key(ms: int | None) -> tuple[bool, int]:
    return (False, ms or 0)


def _text_key(text: str) -> tuple[bool, str]:
    return (not text, text)


def sort_connections(
    found: Iterable[Connection],
    key: Key | None,
    limit: int | None,
    *,
    on_unsorted: Callable[[], None] = lambda: None,
    max_sorted: int = MAX_SORTED,
) -> Iterator[Connection]:
    """At most `limit` of `found`, the first by `key`; unsorted if `key` is None or there are more than
    `max_sorted`.

    In the latter case `on_unsorted` is called before the first is yielded. Reads no more of `found` than
    needed.
    """
    if key is None:
        yield from islice(found, limit)
        return
    if limit is not None and limit <= max_sorted:
        yield from nsmallest(limit, found, key=key)
        return
    rest = iter(found)
    buffer = list(islice(rest, max_sorted + 1))
    if len(buffer) <= max_sorted:
        yield from sorted(buffer, key=key)
        return
    on_unsorted()
    yield from islice(chain(buffer, rest), limit)
