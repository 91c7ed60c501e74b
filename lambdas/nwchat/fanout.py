"""One scan segment of a large room: its event is `segments.Segment`'s. Invoked asynchronously only.

What it raises makes Lambda try the event again, twice, and then put it into the dead-letter queue. A retry
sends again from the segment's `start` on; clients drop what they have by its id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from nwchat import runtime
from nwchat.delivery.poster import Poster
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.tally import Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.feed import DeadlineSource
from nwchat.large_rooms.segments import Segment
from nwchat.log import Log
from nwchat.runtime import Event, Services
from nwchat.storage.scan import Part

HAND_OUT_SECONDS = 8.0
"""Before the end nothing more is handed out, so that what is under way, retries included, can end."""
_REPORT_SECONDS = 2.0


class SegmentFailed(Exception):
    """The segment, or the rest of it, has to be tried again."""


def handler(event: Event, context: object) -> None:
    log = runtime.log_for(event, context)
    try:
        invocation = Invocation(runtime.services(), runtime.poster(), runtime.invoker().hand_over, log)
        fan_out_segment(segments.of_event(event), invocation, runtime.deadline_of(context))
    except Exception:
        log.exception("segment failed")
        raise


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one invocation works with. `hand_over` invokes this function with the rest of a segment."""

    services: Services
    poster: Poster
    hand_over: Callable[[Segment], None]
    log: Log
    clock: Callable[[], float] = time.monotonic


def fan_out_segment(segment: Segment, invocation: Invocation, deadline: float) -> None:
    """Posts to the segment until its end, or hands the rest on before `deadline` (`clock` seconds).

    Raises SegmentFailed when most of it could not be reached, or when it was handed on too often; and what
    reading the table or handing on raised.
    """
    store, now_ms = invocation.services.store, invocation.services.now_ms()
    left = deadline - invocation.clock()
    part = Part(segment.segment, segment.segments, segment.start or "")
    until = deadline - min(HAND_OUT_SECONDS, left / 4)
    feed = DeadlineSource(lambda: store.scan(part, now_ms), segment.rate, until, invocation.clock)
    reporter = _Reporter(segment, invocation)
    counts = invocation.poster.post_all(
        feed,
        segment.frame.encode(),
        skip=frozenset(segment.skip),
        rate_limiter=RateLimiter(segment.rate),
        deadline=deadline,
        tick=reporter,
    )
    trouble = _trouble(counts)
    reporter.write(counts, done=feed.ended and not trouble)
    where = {"message_id": segment.message_id, "segment": segment.segment, "hops": segment.hops}
    wrong = trouble or counts.refused or counts.failed
    invocation.log.log(logging.WARNING if wrong else logging.INFO, "sent", extra={**where, **asdict(counts)})
    if trouble:
        raise SegmentFailed(trouble)
    if not feed.ended:
        _hand_on(segment, feed.last, invocation)


def _trouble(counts: Counts) -> str:
    """Why the segment has to be tried again; "" when not: a few lost posts are not worth a copy to all."""
    failed = counts.refused + counts.failed
    if failed > counts.delivered + counts.gone:
        return f"{failed} of {counts.recipients} posts failed: {counts.reasons}"
    return "the end came before what was handed out was posted" if counts.cut_short else ""


def _hand_on(segment: Segment, last: str | None, invocation: Invocation) -> None:
    rest = None if last is None else segments.onward(segment, last)
    if rest is None:
        # Into the dead-letter queue, where somebody sees it, rather than into Lambda's loop detection.
        raise SegmentFailed(f"not at its end after {segment.hops} further invocations")
    invocation.hand_over(rest)
    invocation.log.info("handed on", extra={"segment": segment.segment, "hops": rest.hops})


class _Reporter:
    """Writes counts down every other second, for whoever watches. What it cannot write is not missed."""

    def __init__(self, segment: Segment, invocation: Invocation) -> None:
        self._segment = segment
        self._invocation = invocation
        self._next = invocation.clock() + _REPORT_SECONDS

    def __call__(self, counts: Counts) -> str:
        if self._invocation.clock() >= self._next:
            self._next = self._invocation.clock() + _REPORT_SECONDS
            self.write(counts, done=False)
        return ""

    def write(self, counts: Counts, *, done: bool) -> None:
        room, segment = self._segment.report, self._segment
        if room is None:
            return
        value = segments.report_value(counts, done=done)
        try:
            self._invocation.services.store.report(room, segments.report_name(segment), value)
        except Exception:
            self._invocation.log.exception("not reported")


if runtime.is_warming():
    runtime.services()
    runtime.poster()
