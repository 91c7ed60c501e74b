"""Every row asked about at API Gateway, and the rows of the gone deleted. Pure but for the transport.

410 is the only proof that a socket is gone. What else comes instead of an answer proves nothing: such a row
has failed, and stays. A row is deleted on condition that it is still as it was read, so one whose id is
another socket's by now stays as well, and is asked about again the next time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from nwchat.delivery.outcome import Delivered, Failed, Gone, Open, Outcome, Refused, Throttled
from nwchat.delivery.poster import ListSource
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.scheduler import RequestScheduler, Source
from nwchat.delivery.tally import Reasons, RecipientSource
from nwchat.model.rows import Recipient
from nwchatctl.chat.connection_rows import RowAge

if TYPE_CHECKING:
    from nwchat.delivery.asyncio_transport import Transport
    from nwchat.delivery.targets import ConnectionPosts, RowDeletion

MAX_PENDING_DELETES = 5_000
"""Rows that wait to be deleted at once: this bounds the rest of it."""
MAX_DELETE_DELAY_SECONDS = 2.0
"""How long one may wait: what is lost when it is stopped, or killed."""
DELETES_A_SECOND = 4_000.0
"""What a new table on demand takes (AWS's developer guide); an older one may take more."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What became of each row that was `checked`, which is exactly one of these things:

        checked = alive + deleted + kept_young + changed + left + absent + failed

    `alive`: its socket is there, or was until it was closed now. Of all others that were answered, the socket
    is `gone`. Then the row was `deleted`; or spared, as `kept_young`; or not touched because it had `changed`
    since it was read, or was no longer there (the word of a $disconnect, or of our own deletion, came late);
    or `left`, because of a dry run or because it was stopped; or there was no row, `absent`. `failed`: no
    answer that proves anything, or a deletion that failed.

        gone = deleted + kept_young + changed + left + absent + those of the failed whose deletion failed

    `retries` are attempts beyond the first. `cut_short`: it was stopped before all were asked about, and
    deleted where they are gone. `reasons`: why something failed, with how often.
    """

    checked: int = 0
    alive: int = 0
    gone: int = 0
    deleted: int = 0
    kept_young: int = 0
    changed: int = 0
    left: int = 0
    absent: int = 0
    failed: int = 0
    retries: int = 0
    cut_short: bool = False
    reasons: tuple[tuple[str, int], ...] = ()


Tick = Callable[[PruneResult], str]
"""Told some times a second how far it is; gives a reason to stop, or ""."""


def prune(
    transport: Transport,
    requests: ConnectionPosts,
    row_deletion: RowDeletion | None,
    source: Source[Recipient],
    *,
    rate_limiter: RateLimiter | None = None,
    clock: Callable[[], float] = time.monotonic,
    tick: Tick = lambda result: "",
    on_outcome: Callable[[Recipient, Outcome], None] = lambda recipient, outcome: None,
) -> PruneResult:
    """Asks about all of `source`, whose `note` is a Standing, by `requests` (GET), or closes them (DELETE).

    Without `row_deletion` nothing is deleted. `clock` gives seconds. `on_outcome` is told of each one's answer, once.
    What `source` raises goes through, once all that it gave are settled.
    """
    counter = _PruneCounter(on_outcome)
    rate_limiter, deletes = rate_limiter or RateLimiter(), RateLimiter(DELETES_A_SECOND)
    reason, batch_started = "", clock()

    def is_batch_full() -> bool:
        waiting = len(counter.to_delete)
        return waiting >= MAX_PENDING_DELETES or (
            waiting > 0 and clock() - batch_started >= MAX_DELETE_DELAY_SECONDS
        )

    def stop_reason() -> str:
        nonlocal reason
        reason = tick(counter.result()) or reason
        return reason

    recipients = RecipientSource(source, full=is_batch_full)
    while True:
        batch_started = clock()
        scheduler = RequestScheduler(recipients, requests, counter.record_status, rate_limiter=rate_limiter)
        transport.run(scheduler, stop_reason)
        error = scheduler.error
        if row_deletion is not None and not reason:
            to_delete, counter.to_delete = counter.to_delete, []
            delete_error = _delete_rows(transport, row_deletion, to_delete, counter, deletes, stop_reason)
            error = error or delete_error
        left = counter.count_undeleted()
        if error is not None:
            raise error
        if recipients.ended or reason:
            counter.cut_short = (
                not recipients.ended or scheduler.cut_short or (row_deletion is not None and left > 0)
            )
            return counter.result()


def _delete_rows(
    transport: Transport,
    row_deletion: RowDeletion,
    to_delete: list[Recipient],
    counter: _PruneCounter,
    rate_limiter: RateLimiter,
    stop_reason: Callable[[], str],
) -> Exception | None:
    if not to_delete:
        return None
    scheduler = RequestScheduler(
        ListSource(to_delete), row_deletion, counter.record_delete, rate_limiter=rate_limiter
    )
    counter.pending = len(to_delete)
    transport.run(scheduler, stop_reason)
    return scheduler.error


class _PruneCounter:
    """Counts, and keeps those to be deleted until they are. `pending` are deletions begun and not done."""

    def __init__(self, on_outcome: Callable[[Recipient, Outcome], None]) -> None:
        self.to_delete: list[Recipient] = []
        self.pending = 0
        self.cut_short = False
        self._on_outcome = on_outcome
        self._counts: Counter[str] = Counter()
        self._reasons = Reasons()

    def record_status(self, recipient: Recipient, outcome: Outcome) -> None:
        """Takes note of what API Gateway said."""
        self._counts["checked"] += 1
        self._counts["retries"] += outcome.retries
        match outcome:
            case Open() | Delivered():
                self._counts["alive"] += 1
            case Gone():
                self._counts["gone"] += 1
                self._record_gone(recipient)
            case Refused() | Throttled() | Failed():
                self._record_failure(outcome.reason)
            case _:
                assert_never(outcome)
        self._on_outcome(recipient, outcome)

    def _record_gone(self, recipient: Recipient) -> None:
        match recipient.note:
            case RowAge.ABSENT:
                self._counts["absent"] += 1
            case RowAge.YOUNG:
                self._counts["kept_young"] += 1
            case _:
                self.to_delete.append(recipient)

    def record_delete(self, _: Recipient, outcome: Outcome) -> None:
        """Takes note of what DynamoDB said."""
        self.pending -= 1
        self._counts["retries"] += outcome.retries
        match outcome:
            case Delivered() | Open():
                self._counts["deleted"] += 1
            case Gone():
                self._counts["changed"] += 1
            case Refused() | Throttled() | Failed():
                self._record_failure(f"not deleted: {outcome.reason}")
            case _:
                assert_never(outcome)

    def count_undeleted(self) -> int:
        """Those that are gone and not deleted by now stay: how many."""
        left = len(self.to_delete) + self.pending
        self.to_delete, self.pending = [], 0
        self._counts["left"] += left
        return left

    def _record_failure(self, reason: str) -> None:
        self._counts["failed"] += 1
        self._reasons.add(reason)

    def result(self) -> PruneResult:
        counts: dict[str, Any] = dict(self._counts)
        return PruneResult(**counts, cut_short=self.cut_short, reasons=self._reasons.most_common())
