"""One segment: who gets the frame, when it goes on elsewhere, and when Lambda has to try it again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from nwchat import segments
from nwchat.fanout import HAND_OUT_SECONDS, Desk, SegmentFailed, fan_out_segment
from nwchat.outcome import Failed, Gone, Outcome, Refused
from nwchat.rows import Connection
from nwchat.segments import MAX_HOPS, Segment
from nwchat.sending import Feed, Sender
from nwchat.spreading import Counts
from tests.unit.nwchat.test_nwchat_handlers import NOW, Chat, FakeGateway, FakeStore

FRAME = '{"message":"hi"}'
WHOLE = Segment(FRAME, "id", 0, 1, 1e9)


class Reports(FakeStore):
    """A room that keeps what was reported."""

    def __init__(self, *names: str, broken: str = "") -> None:
        super().__init__(*(Connection(each, NOW - 60_000) for each in names), broken=broken)
        self.reports: dict[str, Any] = {}

    def report(self, room: str, name: str, value: Any) -> None:
        self._may_break("report")
        self.reports[name] = value


@dataclass
class Clock:
    """Goes on by `step` with each post."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Function:
    """`fanout` with everything around it in memory."""

    def __init__(
        self, store: Reports, answers: dict[str, Outcome | Exception] | None = None, step: float = 0
    ) -> None:
        self.store = store
        self.chat = Chat(store, FakeGateway(answers or {}))
        self.clock = Clock()
        self.step = step
        self.handed: list[Segment] = []

    def runs(self, segment: Segment, deadline: float = 1e9) -> None:
        def post(connection_id: str, data: bytes, until: float) -> Outcome:
            self.clock.now += self.step
            return self.chat.gateway(connection_id, data, until)

        sender = Sender(post, 1, self.clock, self.clock.sleep)
        desk = Desk(self.chat.tools, sender, self.handed.append, self.chat.log, self.clock)
        fan_out_segment(segment, desk, deadline)

    @property
    def got(self) -> dict[str, list[Any]]:
        return self.chat.gateway.got


def test_everybody_in_the_segment_but_the_skipped() -> None:
    function = Function(Reports("a", "b", "c", "d", "e"))
    function.runs(replace(WHOLE, segment=1, segments=2, skip=("d",)))
    assert function.got == {"b": [json.loads(FRAME)]}
    assert (function.handed, function.store.reports) == ([], {})


def test_who_is_gone_is_forgotten_unless_young() -> None:
    store = Reports("a", "b")
    store.rows["b"] = Connection("b", NOW - 100)
    Function(store, {"a": Gone(), "b": Gone()}).runs(WHOLE)
    assert set(store.rows) == {"b"}


def test_the_rest_goes_on_elsewhere_before_the_end() -> None:
    names = [f"c{each:03}" for each in range(200)]
    function = Function(Reports(*names), step=0.1)
    rest: list[Segment] = []
    segment = replace(WHOLE, report="r")
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


def test_what_has_no_end_is_a_failure_that_somebody_sees() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(200))), step=1.0)
    with pytest.raises(SegmentFailed, match="not at its end after 10 further invocations"):
        function.runs(replace(WHOLE, hops=MAX_HOPS), 40)
    assert function.handed == []


@pytest.mark.parametrize("outcome", [Failed("429"), Refused(403, "403 Forbidden")])
def test_one_lost_post_is_not_worth_a_copy_to_all_but_most_are(outcome: Outcome) -> None:
    Function(Reports("a", "b"), {"a": outcome}).runs(WHOLE)
    function = Function(Reports("a", "b", "c"), {"a": outcome, "b": outcome})
    with pytest.raises(SegmentFailed, match="2 of 3 posts failed"):
        function.runs(replace(WHOLE, report="r"))
    progress = segments.progress_of(function.store.reports)
    assert (progress.counts.recipients, progress.finished) == (3, 0)


def test_what_was_handed_out_and_not_posted_is_a_failure() -> None:
    store = Reports()
    page = tuple(Connection(f"c{each:03}", NOW - 60_000) for each in range(200))
    store.connections = lambda *_, **__: iter([page])  # type: ignore[method-assign]
    # A slice is 50 posts, more than there is time for at the end.
    function = Function(store, step=HAND_OUT_SECONDS / 40)
    with pytest.raises(SegmentFailed, match="the end came before"):
        function.runs(WHOLE, HAND_OUT_SECONDS * 1.7)
    assert 0 < len(function.got) < 200


def test_a_table_that_cannot_be_read_is_a_failure() -> None:
    function = Function(Reports("a", broken="connections"))
    with pytest.raises(OSError, match="table away"):
        function.runs(WHOLE)


def test_what_cannot_be_reported_is_sent_all_the_same() -> None:
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
    clock = Clock()
    sender = Sender(FakeGateway(), 1, clock, clock.sleep)
    pages = [tuple(Connection(f"c{page}-{each}", 1) for each in range(100)) for page in range(3)]
    counts = sender.send(b"{}", pages, lambda _: True, rate=100, deadline=1e9)
    assert counts == Counts(300, 300)
    # The end is seen when all of them are due.
    assert clock.now == pytest.approx(3.0)


def test_a_low_rate_waits_before_it_asks_for_more_and_never_long() -> None:
    function = Function(Reports(*(f"c{each:03}" for each in range(40))))
    function.runs(replace(WHOLE, rate=2), 15)
    assert max(function.clock.slept) <= 1.0
    assert [each.hops for each in function.handed] == [1]
    assert function.handed[0].start == max(function.got)
    assert function.clock.now < 15


def test_a_feed_knows_where_it_stopped() -> None:
    clock = Clock()
    page = tuple(Connection(f"c{each:03}", 1) for each in range(120))
    feed = Feed([page], 1e9, 5.0, clock)
    parts = iter(feed)
    assert [len(next(parts)), feed.last] == [50, "c049"]
    clock.now = 5.0
    assert (list(parts), feed.last, feed.ended) == ([], "c049", False)
    clock.now = 0.0
    whole = Feed([page], 1e9, 5.0, clock)
    assert [len(each) for each in whole] == [50, 50, 20]
    assert (whole.last, whole.ended) == ("c119", True)
