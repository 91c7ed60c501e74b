from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from nwchat.delivery.outcome import BufferFull, Delivered, Failed, Gone, Outcome, Refused, Throttled
from nwchat.delivery.request import Call
from nwchat.delivery.tally import (
    MAX_GONE_ROWS,
    MIN_ROW_AGE_MS,
    Counts,
    Reasons,
    RecipientSource,
    Tally,
    is_deletable,
)
from nwchat.model.rows import Recipient, recipient
from tests.unit.nwchat.delivery.virtual_transport import (
    FAILED_CONDITION,
    Answer,
    FakeGateway,
    Pages,
    make_poster,
    recipients,
)

NOW = 100_000
GONE = (410, b"")


class FakeRows:
    """Forgets rows; answers otherwise for those named in `answers`."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.deleted: list[str] = []

    def __call__(self, call: Call[Any]) -> Answer:
        name = json.loads(call.body)["Key"]["connection_id"]["S"]
        answer = self.answers.get(name, (200, b"{}"))
        if answer == (200, b"{}"):
            self.deleted.append(name)
        return answer


def spread(
    pages: Sequence[Sequence[Recipient] | Exception],
    gateway: FakeGateway | None = None,
    rows: FakeRows | None = None,
    **options: Any,
) -> Counts:
    poster, _ = make_poster(gateway or FakeGateway(), rows or FakeRows(), now_ms=NOW, seconds=1.0)
    return poster.post_all(Pages(pages), b"hi", **options)


def test_every_recipient_of_every_page_is_posted_to() -> None:
    gateway = FakeGateway()
    counts = spread([recipients("a", "b"), (), recipients("c")], gateway)
    assert gateway.got == {name: [b"hi"] for name in "abc"}
    assert counts == Counts(recipients=3, delivered=3)


def test_failure_of_one_recipient_does_not_affect_others() -> None:
    gateway = FakeGateway(
        {
            "a": GONE,
            "b": (403, b'{"message":"Forbidden"}'),
            "c": (429, b'{"message":"slow down"}'),
            "d": "reset by peer",
            "e": GONE,
            "h": (403, b'{"Message":"Forbidden"}'),
        }
    )
    rows = FakeRows(e=(400, b'{"__type":"x#AccessDenied","message":"no"}'))
    counts = spread([recipients(*"abcd"), recipients(*"efgh", "..")], gateway, rows)
    assert sorted(gateway.got) == ["f", "g"]
    assert rows.deleted == ["a"]
    assert gateway.closed == ["c"]
    assert dict(counts.reasons) == {
        "403 Forbidden": 2,
        "reset by peer": 1,
        "the row of a closed connection was not deleted: 400 AccessDenied: no": 1,
        "'..' is no connection id": 1,
    }
    assert counts == Counts(
        recipients=9,
        delivered=2,
        gone=2,
        forgotten=1,
        refused=3,
        failed=1,
        retries=8 + 3,
        reasons=counts.reasons,
        buffer_full=1,
        disconnected=1,
    )


def test_a_row_that_was_not_deleted_is_not_counted_as_forgotten() -> None:
    rows = FakeRows(b=FAILED_CONDITION)
    counts = spread([recipients("a", "b")], FakeGateway({"a": GONE, "b": GONE}), rows)
    assert (counts.gone, counts.forgotten, counts.reasons) == (2, 1, ())


def test_skipped_and_first() -> None:
    gateway = FakeGateway()
    counts = spread(
        [recipients("me", "skipped", "other")],
        gateway,
        priority=recipients("me"),
        skip=frozenset({"skipped"}),
    )
    assert gateway.asked == ["me", "other"]
    assert counts.recipients == 2


class Lazy:
    """A source that watches how far it is ahead of the answers."""

    def __init__(self, pages: int, settled: list[str]) -> None:
        self.pages = pages
        self.given = 0
        self.max_unsettled = 0
        self._settled = settled

    def next(self) -> Sequence[Recipient] | None:
        if self.given == self.pages * 10:
            return None
        self.max_unsettled = max(self.max_unsettled, self.given - len(self._settled))
        page = recipients(*(str(self.given + number) for number in range(10)))
        self.given += len(page)
        return page


def test_posting_overlaps_reading_and_queue_is_bounded() -> None:
    settled: list[str] = []
    poster, transport = make_poster(FakeGateway(), seconds=0.02)
    source = Lazy(500, settled)
    counts = poster.post_all(source, b"hi", on_outcome=lambda each, _: settled.append(each.connection_id))
    assert counts.delivered == len(set(settled)) == 5000
    assert 10 < source.max_unsettled <= transport.max_in_flight + 10 <= 512 + 10


def test_deadline_stops_posting_and_is_reported() -> None:
    gateway = FakeGateway()
    counts = spread([recipients(*map(str, range(100)))], gateway, deadline=1.0)
    assert counts == Counts(recipients=32, delivered=32, cut_short=True)
    assert gateway.asked == [str(number) for number in range(32)]


def test_what_waits_at_the_deadline_has_failed() -> None:
    gateway = FakeGateway({"a": (503, b"busy")})
    counts = spread([recipients("a", "b")], gateway, deadline=1.05)
    assert (counts.delivered, counts.failed) == (1, 1)
    assert not counts.cut_short, "everybody was tried"


def test_recipients_that_were_read_are_posted_to_before_error_is_raised() -> None:
    gateway = FakeGateway()
    with pytest.raises(OSError, match="table away"):
        spread([recipients("a", "b", "c"), OSError("table away"), recipients("d")], gateway)
    assert sorted(gateway.got) == ["a", "b", "c"]


def test_rows_of_closed_connections_are_deleted_despite_error() -> None:
    rows = FakeRows()
    with pytest.raises(OSError, match="table away"):
        spread([recipients("a"), OSError("table away")], FakeGateway({"a": GONE}), rows)
    assert rows.deleted == ["a"]


def test_stop_by_tick_returns_counts() -> None:
    seen: list[Counts] = []

    def tick(counts: Counts) -> str:
        seen.append(counts)
        return "interrupted" if counts.recipients >= 40 else ""

    gateway = FakeGateway({"1": (503, b"busy")})
    counts = spread([recipients(*map(str, range(1000)))], gateway, on_progress=tick)
    assert counts.cut_short
    assert counts.recipients == len(set(gateway.asked)) < 200
    assert counts.failed == 1
    assert [each.recipients for each in seen] == sorted(each.recipients for each in seen)


def test_stop_ends_deletion_of_rows() -> None:
    rows = FakeRows()
    names = [str(number) for number in range(100)]
    stops = iter(["", "", "interrupted"])
    counts = spread(
        [recipients(*names)],
        FakeGateway(dict.fromkeys(names, GONE)),
        rows,
        on_progress=lambda counts: next(stops, ""),
    )
    assert counts.cut_short
    assert counts.gone > 0
    assert rows.deleted == []


def test_deleting_rows_can_be_stopped() -> None:
    """DynamoDB answers nobody, the tick says stop, and it ends."""
    rows = FakeRows(**dict.fromkeys("abc", "reset by peer"))
    asked = 0

    def tick(counts: Counts) -> str:
        nonlocal asked
        asked += 1
        return "interrupted" if asked > 5 else ""

    counts = spread([recipients(*"abc")], FakeGateway(dict.fromkeys("abc", GONE)), rows, on_progress=tick)
    assert (counts.gone, counts.forgotten) == (3, 0)
    assert asked < 20


def test_delivery_is_aborted_when_nothing_is_accepted() -> None:
    gateway = FakeGateway(dict.fromkeys(map(str, range(10_000)), (403, b"")))
    pages = [recipients(*map(str, range(start, start + 100))) for start in range(0, 10_000, 100)]
    counts = spread(pages, gateway)
    assert counts.broken_off.endswith("were all refused: 403")
    assert (counts.cut_short, counts.recipients) == (True, counts.refused + counts.failed)
    assert 200 <= counts.recipients == len(gateway.asked) < 1000


def test_progress_ends_with_the_whole() -> None:
    seen: list[Counts] = []

    def watch(counts: Counts) -> str:
        seen.append(counts)
        return ""

    counts = spread(
        [recipients(*"abcdefgh")],
        FakeGateway({"a": GONE}),
        on_progress=watch,
    )
    assert counts.forgotten == 1
    assert seen[-1] == counts


def test_rows_of_closed_connections_are_deleted_in_batches() -> None:
    names = [str(number) for number in range(MAX_GONE_ROWS * 2 + 10)]
    rows = FakeRows()
    gateway = FakeGateway(dict.fromkeys(names, GONE))
    most = 0

    def settled(each: Recipient, outcome: Outcome) -> None:
        nonlocal most
        most = max(most, len(gateway.asked) - len(rows.deleted))

    pages = [recipients(*names[start : start + 100]) for start in range(0, len(names), 100)]
    counts = spread(pages, gateway, rows, on_outcome=settled)
    assert (counts.gone, counts.forgotten) == (len(names), len(names))
    assert sorted(rows.deleted) == sorted(names)
    assert MAX_GONE_ROWS < most <= MAX_GONE_ROWS + 100 + 512


def test_reasons_do_not_grow_with_the_recipients() -> None:
    tally = Tally()
    for number in range(100):
        tally.record(Recipient("a"), Failed("reason " + "x" * number))
    assert tally.counts().failed == 100
    assert len(tally.counts().reasons) == 10


def test_every_outcome_is_one_recipient() -> None:
    tally = Tally()
    outcomes: list[Outcome] = [
        Delivered(1),
        Gone(2),
        Refused(403, "no", 3),
        Throttled("slow", 4),
        Failed("broken", 5),
        BufferFull("slow", 6),
    ]
    for outcome in outcomes:
        tally.record(Recipient("a"), outcome)
    counts = tally.counts()
    assert (counts.delivered, counts.gone, counts.refused, counts.failed) == (1, 1, 1, 2)
    assert (counts.recipients, counts.retries, counts.buffer_full) == (6, 21, 1)
    assert Counter(dict(counts.reasons)) == {"no": 1, "slow": 1, "broken": 1}


@pytest.mark.parametrize(
    ("connected_at", "deleted"),
    [
        (None, True),
        (0, True),
        (NOW - MIN_ROW_AGE_MS, True),
        (NOW + 1 - MIN_ROW_AGE_MS, False),
        (NOW * 2, False),
    ],
)
def test_young_rows_are_skipped(connected_at: int | None, deleted: bool) -> None:
    who = Recipient("a") if connected_at is None else recipient("a", connected_at)
    assert is_deletable(who, NOW) == deleted


def test_a_time_that_is_none_is_old() -> None:
    odd = Recipient("a", {"connected_at": {"S": "yesterday"}})
    assert is_deletable(odd, NOW)


def test_source_ends_with_its_pages_and_pauses_when_full() -> None:
    full = True
    source = RecipientSource(Pages([recipients("a")]), paused=lambda: full)
    assert (source.next(), source.ended) == (None, False)
    full = False
    assert source.next() == recipients("a")
    assert (source.next(), source.ended) == (None, True)


def test_no_deadline_is_never() -> None:
    assert spread([recipients("a")], deadline=math.inf).delivered == 1


def test_reasons_that_differ_by_a_number_or_an_id_are_one() -> None:
    reasons = Reasons()
    for each in (
        "Failed to connect to 127.0.0.1 port 4566 after 0 ms: Couldn't connect to server",
        "Failed to connect to 127.0.0.1 port 41 after 1200 ms: Couldn't connect to server",
        "400 ValidationException: id L0SM9cOFvHcCIhw= of 7",
        "400 ValidationException: id -4XY9cOFvHcCIhw= of 12",
        "500",
        "503",
        "a row was not deleted: 500",
        "a row was not deleted: 503",
    ):
        reasons.add(each)
    assert reasons.most_common() == (
        ("Failed to connect to 127.0.0.1 port 4566 after 0 ms: Couldn't connect to server", 2),
        ("400 ValidationException: id L0SM9cOFvHcCIhw= of 7", 2),
        ("500", 1),
        ("503", 1),
        ("a row was not deleted: 500", 1),
        ("a row was not deleted: 503", 1),
    )
