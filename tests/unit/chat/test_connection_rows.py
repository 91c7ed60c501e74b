"""How rows stand, and which are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nwchat.model.rows import Recipient
from nwchat.storage.scan import ScanPage, ScanSegment
from nwchatctl.chat.connection_rows import ConnectionQuery, RowAge, is_older, row_age

NOW = 1_000_000


@pytest.mark.parametrize(
    ("connected_at", "stands"),
    [
        (None, RowAge.OLD),
        (0, RowAge.OLD),
        (NOW - 1000, RowAge.OLD),
        (NOW - 999, RowAge.YOUNG),
        (NOW, RowAge.YOUNG),
        # Of a clock that is ahead, or of a row by hand: it is not known to be old.
        (NOW * 2, RowAge.YOUNG),
    ],
)
def test_age_of_a_row(connected_at: int | None, stands: RowAge) -> None:
    assert row_age(connected_at, NOW, 1000) is stands


def test_without_grace_none_is_young() -> None:
    assert row_age(NOW, NOW, 0) is RowAge.OLD


@pytest.mark.parametrize(
    ("connected_at", "last_seen_at", "older"),
    [(1, None, True), (1, 9, True), (1, 10, False), (10, None, False), (None, 9, True), (None, None, True)],
)
def test_row_is_older_than_limit(connected_at: int | None, last_seen_at: int | None, older: bool) -> None:
    assert is_older(connected_at, last_seen_at, 10) is older
    assert is_older(connected_at, last_seen_at, None)


def row(name: str, at: int) -> Recipient:
    return Recipient(name, {"connection_id": {"S": name}, "connected_at": {"N": str(at)}})


def test_page_is_classified_at_time_of_reading() -> None:
    """A row that is young when it is read stays so, however late it is asked about."""
    clock = iter([NOW, NOW, NOW + 5000])
    asked: dict[str, Any] = {}

    def scan(part: ScanSegment, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        asked.update(options, part=part, now_ms=now_ms)
        yield ScanPage([row("a", NOW - 500), row("b", 0)], ScanSegment(0, 1, "b"))
        yield ScanPage([row("c", NOW - 500)], None)

    chosen = ConnectionQuery(scan, lambda: next(clock), 1000, before_ms=NOW, expired=True)
    pages = [[(each.connection_id, each.note) for each in page] for page in chosen.pages(ScanSegment(0, 1))]
    assert pages == [[("a", RowAge.YOUNG), ("b", RowAge.OLD)], [("c", RowAge.OLD)]]
    assert asked == {
        "part": ScanSegment(0, 1),
        "now_ms": NOW,
        "consistent": True,
        "expired": True,
        "with_names": False,
        "page_size": 1000,
    }


def test_only_selected_rows_are_returned() -> None:
    def scan(part: ScanSegment, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        named.append(options["with_names"])
        yield ScanPage([row("new", 100), row("old", 99)], None)

    named: list[bool] = []
    chosen = ConnectionQuery(scan, lambda: NOW, 0, before_ms=100)
    assert [[each.connection_id for each in page] for page in chosen.pages(ScanSegment())] == [["old"]]
    chosen = ConnectionQuery(scan, lambda: NOW, 0, wanted=lambda each: each.connection_id == "new")
    assert [[each.connection_id for each in page] for page in chosen.pages(ScanSegment())] == [["new"]]
    assert named == [False, True]
