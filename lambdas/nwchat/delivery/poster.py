"""Frames to connections, and what follows from it for the table: the one thing that a chat does all day."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nwchat.delivery.asyncio_transport import Transport
from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.scheduler import MOST_WIDTH, DeliveryAborted, RequestScheduler, Source
from nwchat.delivery.signing import Credentials
from nwchat.delivery.tally import MOST_GONE, Counts, RecipientSource, Tally, old_enough
from nwchat.delivery.targets import ConnectionPosts, RowDeletion
from nwchat.model.rows import Recipient

_ATTEMPTS_ALONE = 5
Settled = Callable[[Recipient, Outcome], None]


class Poster:
    """Posts through `transport` to the stage at `url`, and deletes rows through `rows`. For one thread.

    `now_ms` gives epoch ms, `most_width` is how many posts are under way at most.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        region: str,
        credentials: Callable[[], Credentials],
        rows: RowDeletion,
        now_ms: Callable[[], int],
        most_width: int = MOST_WIDTH,
    ) -> None:
        self._transport = transport
        self._url = url
        self._region = region
        self._credentials = credentials
        self._row_deletion = rows
        self._now_ms = now_ms
        self._max_concurrency = most_width

    def post(self, connection_id: str, data: bytes, deadline: float = math.inf) -> Outcome:
        """One frame to one connection. Never raises for what AWS or the network answers. No attempt begins
        at `deadline` (monotonic seconds) or later."""
        said: list[Outcome] = []
        scheduler = RequestScheduler(
            ListSource([Recipient(connection_id)]),
            self._posts(data),
            lambda _, outcome: said.append(outcome),
            deadline=deadline,
            attempts=_ATTEMPTS_ALONE,
        )
        self._transport.run(scheduler)
        if scheduler.error is not None:
            raise scheduler.error
        return said[0] if said else Failed("out of time")

    def post_all(
        self,
        source: Source[Recipient],
        data: bytes,
        *,
        first: Sequence[Recipient] = (),
        skip: frozenset[str] = frozenset(),
        rate_limiter: RateLimiter | None = None,
        deadline: float = math.inf,
        tick: Callable[[Counts], str] | None = None,
        settled: Settled | None = None,
    ) -> Counts:
        """Posts to `first` and then to all of `source`, those in `skip` and a second time `first` left out.

        The rows of the gone are deleted, unless they were young when that was said, or were written since
        they were read, or it was stopped.
        `tick` is told some times a second how far it is, and at the end; it gives a reason to stop, or "".
        `settled` is told of each recipient once. What `source` raises goes through, once all that it gave
        are settled.
        """
        tally = Tally()
        recipients = RecipientSource(
            source, first=first, skip=skip, full=lambda: len(tally.gone) >= MOST_GONE
        )
        rate_limiter = rate_limiter or RateLimiter()
        target = self._posts(data)

        def settle(recipient: Recipient, outcome: Outcome) -> None:
            tally.settle(recipient, outcome)
            if isinstance(outcome, Gone) and not old_enough([recipient], self._now_ms()):
                # By the time that rows are deleted it may be old, and its socket made.
                tally.gone.pop()
            if settled is not None:
                settled(recipient, outcome)

        stopped = None if tick is None else lambda: tick(tally.counts())
        while True:
            scheduler = RequestScheduler(
                recipients,
                target,
                settle,
                rate_limiter=rate_limiter,
                deadline=deadline,
                most_width=self._max_concurrency,
            )
            self._transport.run(scheduler, stopped)
            tally.cut_short = scheduler.cut_short
            if not scheduler.stopped:
                self._delete_gone_rows(tally, deadline, stopped)
            if isinstance(scheduler.error, DeliveryAborted):
                # What was done by then is worth knowing.
                tally.broken_off = str(scheduler.error)
            elif scheduler.error is not None:
                raise scheduler.error
            if recipients.ended or scheduler.cut_short:
                counts = tally.counts()
                if tick is not None:
                    tick(counts)
                return counts

    def _posts(self, data: bytes) -> ConnectionPosts:
        return ConnectionPosts("POST", self._url, self._region, self._credentials, data)

    def _delete_gone_rows(self, tally: Tally, deadline: float, stopped: Callable[[], str] | None) -> None:
        gone, tally.gone = tally.gone, []
        if not gone:
            return

        def settle(_: Recipient, outcome: Outcome) -> None:
            if isinstance(outcome, Delivered):
                tally.forgotten += 1
            elif not isinstance(outcome, Gone):
                tally.reasons.add(f"not forgotten: {getattr(outcome, 'reason', '')}")

        self._transport.run(
            RequestScheduler(ListSource(gone), self._row_deletion, settle, deadline=deadline), stopped
        )


class ListSource:
    """A source of what is in a list."""

    def __init__(self, items: Sequence[Recipient]) -> None:
        self._items: Sequence[Recipient] | None = items

    def next(self) -> Sequence[Recipient] | None:
        items, self._items = self._items, None
        return items
