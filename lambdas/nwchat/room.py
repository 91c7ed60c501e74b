"""Posts a message to the room: from this function in a small one, by `fanout` in a large one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from nwchat.delivery.prefetch import Prefetcher
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.tally import Counts
from nwchat.invocation import Invocation
from nwchat.large_rooms.segments import split_room
from nwchat.model import wire
from nwchat.model.rows import Recipient
from nwchat.model.wire import Message
from nwchat.storage.scan import ScanPage, ScanSegment, recipients_of
from nwchat.values import asdict


def post_to_room(message: Message, invocation: Invocation) -> str:
    """Post to the connections, or invoke `fanout` for them; "" when all are posted to, otherwise why not.

    Raises errors of reading the connections.
    """
    services, config, frame = invocation.services, invocation.services.config, wire.message_frame(message)
    now_ms = services.now_ms()
    threshold = config.fan_out.threshold if config.fan_out.function else None
    # Consistent: a connection that has just been made, and has read the history before this message was
    # stored, receives it in no other way.
    pages = services.store.scan(
        ScanSegment(), now_ms, consistent=True, page_size=None if threshold is None else threshold + 1
    )
    room = _Room(pages, threshold)
    sender = () if invocation.sender is None else (invocation.sender,)
    echo = config.echo_to_sender
    counts = _post(
        frame,
        () if room.large else (room.pages,),
        invocation,
        rate=config.fan_out.rate,
        # The sender's echo does not wait for the others.
        priority=sender if echo else (),
        skip=frozenset() if echo else frozenset(each.connection_id for each in sender),
    )
    level = logging.WARNING if counts.refused or counts.failed or counts.cut_short else logging.INFO
    invocation.log.log(level, "sent", extra={"message_id": message.id, **asdict(counts)})
    if room.large:
        return _invoke_fanout(frame, message.id, room.row_count, invocation)
    return _incomplete_reason(counts)


class _Room:
    """The connections of the room, partly read ahead to tell whether there are more than `threshold`.

    With `threshold` None nothing is read ahead and the room is never large. An error of reading ahead is
    raised by `pages`.
    """

    def __init__(self, pages: Iterator[ScanPage], threshold: int | None) -> None:
        self._remaining = pages
        self._read_pages: list[Sequence[Recipient]] = []
        self._error: Exception | None = None
        self.row_count = 0
        self.large = False
        if threshold is not None:
            self._read_until(threshold)

    def _read_until(self, threshold: int) -> None:
        try:
            while not self.large and (page := next(self._remaining, None)) is not None:
                self._read_pages.append(page.recipients)
                self.row_count += len(page.recipients)
                self.large = self.row_count > threshold
        except Exception as error:
            self._error = error

    def pages(self) -> Iterator[Sequence[Recipient]]:
        yield from self._read_pages
        if self._error is not None:
            raise self._error
        yield from recipients_of(self._remaining)


def _invoke_fanout(frame: str, message_id: str, row_count: int, invocation: Invocation) -> str:
    """Invoke `fanout` for each segment of the room; post to segments that Lambda did not accept from here.

    Lambda keeps the event that it has accepted and retries it, so such a segment is on its way. Returns "",
    or why another segment is not. The sender is skipped: it has been posted to already. The rate applies to
    one message: segments of concurrent messages slow down when they are throttled.
    """
    services, config = invocation.services, invocation.services.config
    segments = split_room(
        frame,
        message_id,
        rows=services.estimated_size(row_count),
        segment_size=config.fan_out.segment_size,
        rate=config.fan_out.rate,
        skip=() if invocation.sender is None else (invocation.sender.connection_id,),
    )
    failed = services.invoke_fanout(segments)
    fields = {"message_id": message_id, "segments": len(segments), "missed": len(failed)}
    invocation.log.log(logging.WARNING if failed else logging.INFO, "handed over", extra=fields)
    now_ms, reason = services.now_ms(), ""
    for each in failed:
        scan_segment = ScanSegment(each.segment.segment, each.segment.segments)
        pages = services.store.scan(scan_segment, now_ms, consistent=True)
        counts = _post(
            frame,
            [partial(recipients_of, pages)],
            invocation,
            rate=each.segment.rate,
            skip=frozenset(each.segment.skip),
        )
        about = {"message_id": message_id, "segment": scan_segment.number, "why": each.reason}
        invocation.log.warning("sent from here", extra={**about, **asdict(counts)})
        reason = reason or _incomplete_reason(counts)
    return reason


def _post(
    frame: str,
    readers: Sequence[Callable[[], Iterator[Sequence[Recipient]]]],
    invocation: Invocation,
    *,
    rate: float,
    priority: Sequence[Recipient] = (),
    skip: frozenset[str],
) -> Counts:
    recipients: Prefetcher[Recipient] = Prefetcher(readers)
    try:
        return invocation.poster.post_all(
            recipients,
            frame.encode(),
            priority=priority,
            skip=skip,
            rate_limiter=RateLimiter(rate),
            deadline=invocation.deadline,
        )
    finally:
        recipients.close()


def _incomplete_reason(counts: Counts) -> str:
    """Why a fan-out must be repeated; "" when it need not be.

    A few failed posts do not justify a second copy to all recipients.
    """
    failed = counts.refused + counts.failed
    if failed > counts.delivered + counts.gone:
        return f"{failed} of {counts.recipients} posts failed"
    return counts.broken_off or ("the time ended before all connections were posted to" * counts.cut_short)
