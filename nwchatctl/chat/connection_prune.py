"""Checks every row at API Gateway, and deletes the rows of closed connections. Pure except for the transport.

Only status 410 proves that a connection is closed. Any other error proves nothing: the row counts as failed
and stays. A row is deleted on condition that it has not changed since it was read, so a row whose id was
reused stays, and is checked again by the next run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from nwchat.delivery.outcome import BufferFull, Delivered, Failed, Gone, Open, Outcome, Refused, Throttled
from nwchat.delivery.poster import ListSource
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.request import Source
from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.tally import Reasons, RecipientSource
from nwchat.model.rows import Recipient
from nwchatctl.chat.connection_rows import RowAge

if TYPE_CHECKING:
    from nwchat.delivery.socket_transport import Transport
    from nwchat.delivery.targets import ConnectionRequests, RowDeletion

MAX_PENDING_DELETES = 5_000
"""The maximum of rows that wait for deletion, which bounds the memory."""
MAX_DELETE_DELAY_SECONDS = 2.0
"""Seconds that a row may wait for deletion: what an interruption can lose."""
DELETES_A_SECOND = 4_000.0
"""The capacity of a new on-demand table (AWS's developer guide); an older one may have more."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The result of a prune. Each `checked` row is counted in exactly one of these:

        checked = alive + deleted + kept_young + changed + left + absent + failed

    `alive`: its connection is open, or was until this run closed it. Of all others with a response, the
    connection is `gone`. Then the row was `deleted`; or kept because it is new, `kept_young`; or kept because
    it `changed` after it was read or was deleted by then (a $disconnect, or a late response to this run's own
    deletion); or `left`, because of a dry run or a stop; or there was no row, `absent`. `failed`: no
    conclusive response, or a failed deletion.

        gone = deleted + kept_young + changed + left + absent + those failed whose deletion failed

    `retries` are attempts after the first. `cut_short`: the run stopped before all were checked and the rows
    of closed connections deleted. `reasons`: why requests failed, with counts.
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
"""Receives the progress a few times a second; returns a reason to stop, or ""."""


def prune(
    transport: Transport,
    requests: ConnectionRequests,
    row_deletion: RowDeletion | None,
    source: Source[Recipient],
    *,
    rate_limiter: RateLimiter | None = None,
    clock: Callable[[], float] = time.monotonic,
    tick: Tick = lambda result: "",
    on_outcome: Callable[[Recipient, Outcome], None] = lambda recipient, outcome: None,
) -> PruneResult:
    """Sends `requests` for all of `source`, whose `note` is a RowAge: checks them (GET) or closes them
    (DELETE).

    Without `row_deletion` nothing is deleted. `clock` returns seconds. `on_outcome` receives each outcome
    once. An error of `source` is raised once all its items have an outcome.
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

    recipients = RecipientSource(source, paused=is_batch_full)
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
    """Counts outcomes, and holds the rows to delete. `pending` are deletions that were started and not
    finished."""

    def __init__(self, on_outcome: Callable[[Recipient, Outcome], None]) -> None:
        self.to_delete: list[Recipient] = []
        self.pending = 0
        self.cut_short = False
        self._on_outcome = on_outcome
        self._counts: Counter[str] = Counter()
        self._reasons = Reasons()

    def record_status(self, recipient: Recipient, outcome: Outcome) -> None:
        """Records the outcome of a request to API Gateway."""
        self._counts["checked"] += 1
        self._counts["retries"] += outcome.retries
        match outcome:
            case Open() | Delivered():
                self._counts["alive"] += 1
            case Gone():
                self._counts["gone"] += 1
                self._record_gone(recipient)
            case Refused() | Throttled() | Failed() | BufferFull():
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
        """Records the outcome of a deletion."""
        self.pending -= 1
        self._counts["retries"] += outcome.retries
        match outcome:
            case Delivered() | Open():
                self._counts["deleted"] += 1
            case Gone():
                self._counts["changed"] += 1
            case Refused() | Throttled() | Failed() | BufferFull():
                self._record_failure(f"not deleted: {outcome.reason}")
            case _:
                assert_never(outcome)

    def count_undeleted(self) -> int:
        """Counts the rows that were not deleted by now, and drops them; returns their number."""
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
