"""Batches, and what is counted of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from nwchat.model.ids import ulid
from nwchat.model.wire import Message
from nwchatctl.chat.history_import import InvalidLine, ReadResult
from nwchatctl.chat.history_store import MAX_REASONS, ImportCounts, store

NOW = 1_700_000_000_000


def stored(source: Iterable[ReadResult], tally: ImportCounts) -> list[list[tuple[str, int]]]:
    """The batches, as ids and expiries; 90 days are kept."""
    batches: list[list[tuple[str, int]]] = []
    store(
        source,
        lambda batch: batches.append([(each.id, until) for each, until in batch]),
        tally,
        retention_days=90,
        now_ms=lambda: NOW,
        progress=lambda count: None,
    )
    return batches


def made(number: int, date: int = NOW) -> Message:
    return Message(ulid(NOW + number, bytes(10)), "x", "u", "1", date)


def test_batches_of_25_with_their_expiry() -> None:
    tally = ImportCounts()
    batches = stored([made(number) for number in range(60)], tally)
    assert [len(each) for each in batches] == [25, 25, 10]
    assert batches[0][0] == (made(0).id, NOW // 1000 + 90 * 86_400)
    assert tally == ImportCounts(imported=60)


def test_the_expired_and_the_bad_are_counted() -> None:
    tally = ImportCounts()
    day = 86_400_000
    source: list[ReadResult] = [
        made(1, NOW - 90 * day),
        InvalidLine(2, "x"),
        made(3, NOW - 90 * day + 1000),
        InvalidLine(4, "y"),
    ]
    assert stored(source, tally) == [[(made(3).id, NOW // 1000 + 1)]]
    assert tally == ImportCounts(1, 1, 2, [InvalidLine(2, "x"), InvalidLine(4, "y")])
    assert tally.read == 4


def test_later_message_with_same_id_is_kept() -> None:
    tally = ImportCounts()
    assert stored([made(1, NOW - 1000), made(1)], tally) == [[(made(1).id, NOW // 1000 + 90 * 86_400)]]
    assert tally.imported == 2


def test_many_bad_lines_need_no_memory() -> None:
    tally = ImportCounts()
    stored((InvalidLine(number, "x") for number in range(5000)), tally)
    assert tally.bad == 5000
    assert len(tally.reasons) == MAX_REASONS


def test_what_was_stored_before_a_failure_is_counted() -> None:
    tally = ImportCounts()
    calls: list[object] = []

    def put(batch: Iterable[tuple[Message, int]]) -> None:
        if calls:
            raise TimeoutError
        calls.append(list(batch))

    with pytest.raises(TimeoutError):
        store(
            [made(number) for number in range(60)],
            put,
            tally,
            retention_days=90,
            now_ms=lambda: NOW,
            progress=lambda count: None,
        )
    assert tally.imported == 25
