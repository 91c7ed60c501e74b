"""Fan-out function: posts a message to one scan segment of a large room.

It is invoked asynchronously only, and its event is a `segments.Segment`. When it raises, Lambda retries the
event twice and then sends it to the dead-letter queue. A retry posts again from the segment's `start`;
clients ignore messages whose id they have already received.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from nwchat import cold_start, runtime
from nwchat.delivery.poster import Poster
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.tally import Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.feed import DeadlineSource
from nwchat.large_rooms.segments import Segment
from nwchat.log import Log, LoggableError, error_name
from nwchat.runtime import Event, Services
from nwchat.storage.scan import ScanSegment
from nwchat.values import asdict, dataclass

DRAIN_SECONDS = 8.0
"""The function takes no more recipients this long before its deadline, so that posts in flight can finish,
retries included."""
_REPORT_INTERVAL_SECONDS = 2.0


class SegmentFailed(LoggableError):
    """The segment, or the rest of it, must be retried."""


def handler(event: Event, context: object) -> None:
    """Lambda handler. Raises SegmentFailed for every failure, so that Lambda retries the event."""
    log = runtime.log_for(event, context)
    try:
        invocation = Invocation(runtime.services(), runtime.poster(), runtime.invoker().invoke, log)
        fan_out_segment(segments.from_event(event), invocation, runtime.deadline_of(context))
    except SegmentFailed:
        log.exception("segment failed")
        raise
    except Exception as error:
        log.exception("segment failed")
        # Lambda logs the text of an error and sends it to the dead-letter queue.
        raise SegmentFailed(error_name(error)) from None


@dataclass(frozen=True, slots=True)
class Invocation:
    """The dependencies of one invocation.

    `invoke` invokes this function asynchronously with the rest of a segment. `clock` returns monotonic
    seconds.
    """

    services: Services
    poster: Poster
    invoke: Callable[[Segment], None]
    log: Log
    clock: Callable[[], float] = time.monotonic


def fan_out_segment(segment: Segment, invocation: Invocation, deadline: float) -> None:
    """Post to the segment until its end, or invoke the function again with the rest before `deadline`.

    `deadline` is in `clock` seconds. Raises SegmentFailed when most posts failed or when the segment has been
    continued too often, and any error of scanning the table or invoking the function.
    """
    store, now_ms = invocation.services.store, invocation.services.now_ms()
    remaining = deadline - invocation.clock()
    scan_segment = ScanSegment(segment.segment, segment.segments, segment.start or "")
    stop_at = deadline - min(DRAIN_SECONDS, remaining / 4)
    source = DeadlineSource(
        lambda: store.scan(scan_segment, now_ms, consistent=True), segment.rate, stop_at, invocation.clock
    )
    reporter = _Reporter(segment, invocation)
    counts = invocation.poster.post_all(
        source,
        segment.frame.encode(),
        skip=frozenset(segment.skip),
        rate_limiter=RateLimiter(segment.rate),
        deadline=deadline,
        on_progress=reporter,
    )
    failure = _failure_reason(counts)
    reporter.write(counts, done=source.ended and not failure)
    fields = {"message_id": segment.message_id, "segment": segment.segment, "hops": segment.hops}
    incomplete = failure or counts.refused or counts.failed
    invocation.log.log(
        logging.WARNING if incomplete else logging.INFO, "sent", extra={**fields, **asdict(counts)}
    )
    if failure:
        raise SegmentFailed(failure)
    if not source.ended:
        _invoke_remainder(segment, source.last, invocation)


def _failure_reason(counts: Counts) -> str:
    """Why the segment must be retried; "" when it need not be.

    A few failed posts do not justify a second copy to all recipients.
    """
    failed = counts.refused + counts.failed
    if failed > counts.delivered + counts.gone:
        return f"{failed} of {counts.recipients} posts failed: {counts.reasons}"
    return "the end came before what was handed out was posted" if counts.cut_short else ""


def _invoke_remainder(segment: Segment, last: str | None, invocation: Invocation) -> None:
    remainder = None if last is None else segments.remainder_of(segment, last)
    if remainder is None:
        # Fail explicitly, so that the event reaches the dead-letter queue, instead of being stopped by
        # Lambda's recursive loop detection.
        raise SegmentFailed(f"not at its end after {segment.hops} further invocations")
    invocation.invoke(remainder)
    invocation.log.info("handed on", extra={"segment": segment.segment, "hops": remainder.hops})


class _Reporter:
    """Writes the counts for the tool to read, about every two seconds.

    A failed write is logged and ignored.
    """

    def __init__(self, segment: Segment, invocation: Invocation) -> None:
        self._segment = segment
        self._invocation = invocation
        self._next_report = invocation.clock() + _REPORT_INTERVAL_SECONDS

    def __call__(self, counts: Counts) -> str:
        if self._invocation.clock() >= self._next_report:
            self._next_report = self._invocation.clock() + _REPORT_INTERVAL_SECONDS
            self.write(counts, done=False)
        return ""

    def write(self, counts: Counts, *, done: bool) -> None:
        segment, services = self._segment, self._invocation.services
        if segment.report is None:
            return
        value = segments.report_value(counts, done=done)
        try:
            if segment.report_rows:
                expires_at = services.now_ms() // 1000 + segments.REPORT_SECONDS
                services.store.put_report(segments.report_row(segment, value, expires_at))
            else:
                services.store.report(segment.report, segments.report_name(segment), value)
        except Exception:
            self._invocation.log.exception("not reported")


if cold_start.in_init_phase():
    runtime.services()
    runtime.poster()
