"""Posts frames to connections, deletes the rows of closed ones, and closes those that do not read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.request import Source
from nwchat.delivery.scheduler import MAX_CONCURRENCY, DeliveryAborted, RequestScheduler
from nwchat.delivery.socket_transport import Transport
from nwchat.delivery.tally import MAX_GONE_ROWS, Counts, RecipientSource, Tally, is_deletable
from nwchat.delivery.targets import ConnectionRequests, RowDeletion
from nwchat.model.rows import Recipient

_SINGLE_POST_ATTEMPTS = 5
_DISCONNECT_ATTEMPTS = 3
"""Closing a slow reader is worth little: if it fails, the next message tries again."""
OutcomeCallback = Callable[[Recipient, Outcome], None]


class Poster:
    """Posts through `transport` to the stage at `url`, and deletes rows through `rows`. For one thread.

    `now_ms` returns epoch ms; `max_concurrency` limits the number of posts in flight.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        region: str,
        credentials: Callable[[], Credentials],
        rows: RowDeletion,
        now_ms: Callable[[], int],
        max_concurrency: int = MAX_CONCURRENCY,
    ) -> None:
        self._transport = transport
        self._url = url
        self._region = region
        self._credentials = credentials
        self._row_deletion = rows
        self._now_ms = now_ms
        self._max_concurrency = max_concurrency

    def post(self, connection_id: str, data: bytes, deadline: float = math.inf) -> Outcome:
        """Post one frame to one connection. Raises only when there are no credentials.

        Errors of AWS and the network are outcomes. No attempt starts at `deadline` (monotonic seconds) or
        later.
        """
        return self._request(connection_id, self._post_target(data), deadline)

    def close(self, connection_id: str, deadline: float = math.inf) -> Outcome:
        """Close one connection: Delivered, or Gone when it is closed already. Otherwise as `post`."""
        return self._request(connection_id, self._close_target(), deadline)

    def _request(self, connection_id: str, target: ConnectionRequests, deadline: float) -> Outcome:
        outcomes: list[Outcome] = []
        scheduler = RequestScheduler(
            ListSource([Recipient(connection_id)]),
            target,
            lambda _, outcome: outcomes.append(outcome),
            deadline=deadline,
            attempts=_SINGLE_POST_ATTEMPTS,
        )
        self._transport.run(scheduler)
        if scheduler.error is not None:
            raise scheduler.error
        return outcomes[0] if outcomes else Failed("out of time")

    def post_all(
        self,
        source: Source[Recipient],
        data: bytes,
        *,
        priority: Sequence[Recipient] = (),
        skip: frozenset[str] = frozenset(),
        rate_limiter: RateLimiter | None = None,
        deadline: float = math.inf,
        on_progress: Callable[[Counts], str] | None = None,
        on_outcome: OutcomeCallback | None = None,
    ) -> Counts:
        """Post to `priority`, then to all of `source` except `skip` and `priority`.

        Rows of closed connections are deleted, unless they were too young at that time or have been written
        since they were read. Connections with a full buffer have missed the frame, so they are closed: the
        client connects again and requests what it missed. Nothing is deleted or closed after a stop.

        `on_progress` receives the counts several times a second and at the end, and returns why to stop, or
        "". `on_outcome` is called once for each recipient. An error of `source` is raised after every
        recipient has its outcome.
        """
        tally = Tally()
        recipients = RecipientSource(
            source,
            priority=priority,
            skip=skip,
            paused=lambda: len(tally.gone) + len(tally.slow) >= MAX_GONE_ROWS,
        )
        rate_limiter = rate_limiter or RateLimiter()
        target = self._post_target(data)

        def record(recipient: Recipient, outcome: Outcome) -> None:
            tally.record(recipient, outcome)
            if isinstance(outcome, Gone) and not is_deletable(recipient, self._now_ms()):
                # The row may be old enough when rows are deleted, although its connection was opened
                # meanwhile.
                tally.gone.pop()
            if on_outcome is not None:
                on_outcome(recipient, outcome)

        stop_reason = None if on_progress is None else lambda: on_progress(tally.counts())
        while True:
            scheduler = RequestScheduler(
                recipients,
                target,
                record,
                rate_limiter=rate_limiter,
                deadline=deadline,
                max_concurrency=self._max_concurrency,
            )
            self._transport.run(scheduler, stop_reason)
            tally.cut_short = scheduler.cut_short
            if not scheduler.stop_reason:
                self._delete_gone_rows(tally, deadline, stop_reason)
                self._close_slow_readers(tally, rate_limiter, deadline, stop_reason)
            if isinstance(scheduler.error, DeliveryAborted):
                # The counts so far are returned instead of the error.
                tally.broken_off = str(scheduler.error)
            elif scheduler.error is not None:
                raise scheduler.error
            if recipients.ended or scheduler.cut_short:
                counts = tally.counts()
                if on_progress is not None:
                    on_progress(counts)
                return counts

    def _post_target(self, data: bytes) -> ConnectionRequests:
        return ConnectionRequests("POST", self._url, self._region, self._credentials, data)

    def _close_target(self) -> ConnectionRequests:
        return ConnectionRequests("DELETE", self._url, self._region, self._credentials)

    def _delete_gone_rows(self, tally: Tally, deadline: float, stop_reason: Callable[[], str] | None) -> None:
        gone, tally.gone = tally.gone, []
        if not gone:
            return

        def record(_: Recipient, outcome: Outcome) -> None:
            if isinstance(outcome, Delivered):
                tally.forgotten += 1
            elif not isinstance(outcome, Gone):
                tally.reasons.add(
                    f"the row of a closed connection was not deleted: {getattr(outcome, 'reason', '')}"
                )

        self._transport.run(
            RequestScheduler(ListSource(gone), self._row_deletion, record, deadline=deadline), stop_reason
        )

    def _close_slow_readers(
        self,
        tally: Tally,
        rate_limiter: RateLimiter,
        deadline: float,
        stop_reason: Callable[[], str] | None,
    ) -> None:
        slow, tally.slow = tally.slow, []
        if not slow:
            return

        def record(_: Recipient, outcome: Outcome) -> None:
            if isinstance(outcome, Delivered):
                tally.disconnected += 1
            elif not isinstance(outcome, Gone):
                tally.reasons.add(
                    f"a connection that does not read was not closed: {getattr(outcome, 'reason', '')}"
                )

        scheduler = RequestScheduler(
            ListSource(slow),
            self._close_target(),
            record,
            rate_limiter=rate_limiter,
            deadline=deadline,
            attempts=_DISCONNECT_ATTEMPTS,
            max_concurrency=self._max_concurrency,
        )
        self._transport.run(scheduler, stop_reason)


class ListSource:
    """A source that returns the items of a list once."""

    def __init__(self, items: Sequence[Recipient]) -> None:
        self._items: Sequence[Recipient] | None = items

    def next(self) -> Sequence[Recipient] | None:
        items, self._items = self._items, None
        return items
