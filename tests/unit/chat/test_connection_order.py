"""Connections in order, as far as memory goes, and what API Gateway says of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nwchat.model.rows import Connection
from nwchatctl.chat.connection_order import KEYS, sort_connections
from nwchatctl.chat.connection_status import ConnectionInfo, parse_info

FOUND = tuple(
    Connection(name, connected_at=at, last_seen_at=seen, uname=uname)
    for name, at, seen, uname in (
        ("c", 3, 9, ""),
        ("a", 1, None, "zoe"),
        ("d", None, None, "amy"),
        ("b", 2, 4, "bea"),
    )
)


def ids(key: str, limit: int | None = None, most: int = 10) -> tuple[str, bool]:
    """The ids in order, and whether they were said to be in none."""
    warned: list[bool] = []
    found = sort_connections(
        FOUND, KEYS.get(key), limit, on_unsorted=lambda: warned.append(True), max_sorted=most
    )
    return "".join(each.connection_id for each in found), bool(warned)


@pytest.mark.parametrize(
    ("key", "shown"), [("since", "dabc"), ("seen", "dabc"), ("name", "dbac"), ("none", "cadb")]
)
def test_the_order(key: str, shown: str) -> None:
    assert ids(key) == (shown, False)
    assert ids(key, 2) == (shown[:2], False)


def test_too_many_are_shown_as_they_come() -> None:
    assert ids("since", None, most=4) == ("dabc", False)
    assert ids("since", None, most=3) == ("cadb", True)
    assert ids("since", 3, most=3) == ("dab", False), "the first of many fit"
    assert ids("since", 4, most=3) == ("cadb", True)


def test_rows_are_not_held_longer_than_needed() -> None:
    read: list[int] = []

    def endless() -> Iterator[Connection]:
        while True:
            read.append(1)
            yield Connection(str(len(read)))

    shown = sort_connections(endless(), KEYS["since"], None, max_sorted=5)
    assert [next(shown).connection_id for _ in range(8)] == list("12345678")
    assert len(read) == 8
    assert len(list(sort_connections(endless(), None, 3))) == 3
    assert len(read) == 11


ON_AWS = b"""{"connectedAt": "2026-01-31T18:00:00.123Z", "lastActiveAt": "2026-01-31T18:00:01Z",
    "identity": {"sourceIp": "192.0.2.1", "userAgent": "Mozilla/5.0"}}"""
EMULATED = b"""{"ConnectedAt": 1769882400, "LastActiveAt": 1769882401000, "Identity": {"SourceIp": null}}"""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ON_AWS, ConnectionInfo(1769882400123, 1769882401000, "192.0.2.1", "Mozilla/5.0")),
        (EMULATED, ConnectionInfo(1769882400000, 1769882401000)),
        (b'{"connectedAt": "yesterday", "lastActiveAt": true, "identity": []}', ConnectionInfo()),
        (b"", ConnectionInfo()),
        (b"<html>", ConnectionInfo()),
        (b"[1]", ConnectionInfo()),
        (b"[" * 100_000, ConnectionInfo()),
    ],
)
def test_json_of_one_connection(answer: bytes, expected: ConnectionInfo) -> None:
    assert parse_info(answer) == expected
