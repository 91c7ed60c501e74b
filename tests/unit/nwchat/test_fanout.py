"""One segment: who gets the frame, when it goes on elsewhere, and when Lambda has to try it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nwchat.delivery.request import Call
from nwchat.fanout import DRAIN_SECONDS, Invocation, SegmentFailed, fan_out_segment
from nwchat.large_rooms import segments
from nwchat.large_rooms.feed import DeadlineSource
from nwchat.large_rooms.segments import MAX_HOPS, Segment
from nwchat.model.rows import Connection, Recipient, Row
from nwchat.storage.scan import ScanPage
from tests.unit.nwchat.delivery.virtual_transport import Answer
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeGateway, FakeStore

FRAME = '{"message":"hi"}'
WHOLE = Segment(FRAME, "id", 0, 1, 1e9)


class Reports(FakeStore):
    """A room that keeps what was reported."""

    def __init__(self, *names: str, broken: str = "") -> None:
        super().__init__(*(Connection(each, NOW - 60_000) for each in names), broken=broken)
        self.reports: dict[str, Any] = {}
        self.expires: set[str] = set()

    def report(self, room: str, name: str, value: Any) -> None:
        self._may_break("report")
        self.reports[name] = value

    def put_report(self, row: Row) -> None:
        self._may_break("report")
        self.reports |= segments.reports_in(row)
        self.expires.add(row["expires_at"]["N"])


class Function:
    """`fanout` with everything around it in memory. Each post takes `step` seconds, one after the other."""

    def __init__(self, store: Reports, answers: dict[str, Answer] | None = None, step: float = 0) -> None:
        self.store = store
        gateway = FakeGateway(answers or {})
        self.chat = Chat(store, gateway)
        self.clock = self.chat.transport
        self.clock.seconds = 0
        self.handed: list[Segment] = []

        def answer(host: str, call: Call[Any]) -> Answer:
            if host != "gateway.example":
                return store.delete(call)
            self.clock.now += step
            return gateway(call)

        self.clock.answer = answer

    def runs(self, segment: Segment, deadline: float = 1e9) -> None:
        invocation = Invocation(
            self.chat.services, self.chat.poster, self.handed.append, self.chat.log, lambda: self.clock.now
        )
        fan_out_segment(segment, invocation, deadline)

    @property
    def got(self) -> dict[str, list[Any]]:
        return self.chat.gateway.received


def test_segment_is_posted_to_except_skipped_connections() -> None:
    function = Function(Reports("a", "b", "c", "d", "e"))
    function.runs(replace(WHOLE, segment=1, segments=2, skip=("d",)))
    assert function.got == {"b": [json.loads(FRAME)]}
    assert (function.handed, function.store.reports) == ([], {})


def test_rows_of_closed_connections_are_deleted_unless_young() -> None:
    store = Reports("a", "b")
    store.rows["b"] = Connection("b", NOW - 100)
    Function(store, {"a": (410, b""), "b": (410, b"")}).runs(WHOLE)
    assert set(store.rows) == {"b"}


@pytest.mark.parametrize("rows", [False, True])
def test_remaining_segment_is_delegated_before_timeout(rows: bool) -> None:
    names = [f"c{each:03}" for each in range(200)]
    function = Function(Reports(*names), step=0.15)
    rest: list[Segment] = []
    segment = replace(WHOLE, report="r", report_rows=rows)
    for _ in range(9):
        function.handed.clear()
        function.runs(segment, function.clock.now + 10)
        if not function.handed:
            break
        (segment,) = function.handed
        rest.append(segment)
    assert [each.hops for each in rest] == [*range(1, len(rest) + 1)]
    assert len(rest) > 1
    assert {name: len(got) for name, got in function.got.items()} == dict.fromkeys(names, 1)
    progress = segments.progress_of(function.store.reports)
    assert (progress.counts.delivered, progress.finished) == (200, 1)
    assert function.store.expires == ({str(NOW // 1000 + segments.REPORT_SECONDS)} if rows else set())


def test_too_many_continuations_are_a_failure() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(200))), step=1.0)
    with pytest.raises(SegmentFailed, match="not at its end after 10 further invocations"):
        function.runs(replace(WHOLE, hops=MAX_HOPS), 40)
    assert function.handed == []


@pytest.mark.parametrize("outcome", [(429, b""), (403, b"Forbidden"), "reset"])
def test_segment_fails_only_when_most_posts_fail(outcome: Answer) -> None:
    Function(Reports("a", "b"), {"a": outcome}).runs(WHOLE)
    function = Function(Reports("a", "b", "c"), {"a": outcome, "b": outcome})
    with pytest.raises(SegmentFailed, match="2 of 3 posts failed"):
        function.runs(replace(WHOLE, report="r"))
    progress = segments.progress_of(function.store.reports)
    assert (progress.counts.recipients, progress.finished) == (3, 0)


def test_slow_readers_do_not_make_a_segment_fail() -> None:
    names = [f"c{each:02}" for each in range(40)]
    slow = names[:18]
    function = Function(Reports(*names), dict.fromkeys(slow, (429, b"")), step=0.001)
    function.runs(replace(WHOLE, report="r"))
    assert set(function.got) == set(names) - set(slow)
    assert sorted(function.chat.gateway.closed) == slow
    progress = segments.progress_of(function.store.reports)
    assert (progress.counts.buffer_full, progress.counts.disconnected, progress.finished) == (18, 18, 1)
    (line,) = (each for each in function.chat.logged() if each["message"] == "sent")
    assert (line["level"], line["buffer_full"]) == ("INFO", 18)


def test_unposted_recipients_are_a_failure() -> None:
    store = Reports()
    page = [Recipient(f"c{each:03}") for each in range(200)]
    store.scan = lambda *_, **__: iter([ScanPage(page, None)])  # type: ignore[method-assign]
    # A slice is 50 posts, more than there is time for at the end.
    function = Function(store, step=DRAIN_SECONDS / 40)
    with pytest.raises(SegmentFailed, match="the end came before"):
        function.runs(WHOLE, DRAIN_SECONDS * 1.7)
    assert 0 < len(function.got) < 200


def test_a_table_that_cannot_be_read_is_a_failure() -> None:
    function = Function(Reports("a", broken="scan"))
    with pytest.raises(OSError, match="table away"):
        function.runs(WHOLE)


def test_report_failure_does_not_stop_posting() -> None:
    function = Function(Reports("a", broken="report"))
    function.runs(replace(WHOLE, report="r"))
    assert function.got == {"a": [json.loads(FRAME)]}
    assert "not reported" in {line["message"] for line in function.chat.logged()}


def test_progress_is_written_every_other_second() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(60))), step=0.5)
    seen: list[int] = []
    wrote = function.store.report

    def report(room: str, name: str, value: Any) -> None:
        seen.append(int(value["M"]["recipients"]["N"]))
        wrote(room, name, value)

    function.store.report = report  # type: ignore[method-assign]
    function.runs(replace(WHOLE, report="r"))
    assert seen == sorted(seen)
    assert (seen[-1], len(seen) > 5) == (60, True)


def test_the_rate_is_kept() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(300))))
    function.runs(replace(WHOLE, rate=100))
    assert function.clock.now == pytest.approx(3, abs=0.2)


def test_a_low_rate_waits_before_it_asks_for_more_and_never_long() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(40))))
    function.runs(replace(WHOLE, rate=2), 15)
    assert [each.hops for each in function.handed] == [1]
    assert function.handed[0].start == max(function.got)
    assert function.clock.now < 15


def test_source_knows_where_it_stopped() -> None:
    now = 0.0
    page = ScanPage([Recipient(f"c{each:03}") for each in range(120)], None)
    feed = DeadlineSource(lambda: iter([page]), 1e9, 5.0, lambda: now)
    assert [len(some(feed)), feed.last] == [50, "c049"]
    now = 5.0
    assert (feed.next(), feed.last, feed.ended) == (None, "c049", False)
    now = 0.0
    feed = DeadlineSource(lambda: iter([page]), 1e9, 5.0, lambda: now)
    assert [len(some(feed)) for _ in range(3)] == [50, 50, 20]
    assert (some(feed), feed.last, feed.ended) == ((), "c119", True)


def some(feed: DeadlineSource) -> Sequence[Recipient]:
    """What it gives next, when it has been read; nothing at the end."""
    while (found := feed.next()) is not None:
        if found:
            return found
    return ()
