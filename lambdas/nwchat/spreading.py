"""One frame to many connections. Ports in, counts out: knows neither AWS nor a clock of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain
from typing import assert_never

from nwchat.outcome import Delivered, Failed, Gone, Outcome, Refused
from nwchat.rows import Connection

YOUNG_MS = 5_000
"""410 has been reported for connections that were just being made, so a row is not forgotten that early."""
_QUEUED_PER_WORKER = 4
_MAX_REASONS = 10


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a fan-out. `recipients` = delivered + gone + refused + failed.

    `forgotten` of the gone had their row deleted. `retries` are attempts beyond the first.
    `cut_short`: the deadline came first, and not everybody was tried. `reasons`: why posts were refused or
    failed, with how often, for a log.
    """

    recipients: int = 0
    delivered: int = 0
    gone: int = 0
    forgotten: int = 0
    refused: int = 0
    failed: int = 0
    retries: int = 0
    cut_short: bool = False
    reasons: tuple[tuple[str, int], ...] = ()


def unless_young(
    forget: Callable[[str, int | None], bool], now_ms: int, young_ms: int = YOUNG_MS
) -> Callable[[Connection], bool]:
    """`forget` for a fan-out: spares the rows that are younger than `young_ms`."""

    def decide(connection: Connection) -> bool:
        made = connection.connected_at
        if made is not None and now_ms - made < young_ms:
            return False
        return forget(connection.connection_id, made)

    return decide


def fan_out(
    pages: Iterable[Sequence[Connection]],
    post: Callable[[str], Outcome],
    forget: Callable[[Connection], bool],
    *,
    workers: int,
    first: Sequence[Connection] = (),
    skip: frozenset[str] = frozenset(),
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[Counts], None] | None = None,
) -> Counts:
    """Posts to `first` and then to everybody in `pages`, those in `skip` and a second time `first` left out.

    Posting goes on while the next page is read; what waits is bounded by `workers`, not by the pages.
    Whatever `post` or `forget` raises counts for that recipient alone. What `pages` raises goes through, once
    all that had been read are posted to; an interrupt waits only for the posts that have begun.
    `progress` is called in this thread with the counts so far.
    """
    skipped = skip | {connection.connection_id for connection in first}
    wanted = chain(first, (each for page in pages for each in page if each.connection_id not in skipped))
    tally = _Tally()
    pending: set[Future[_Result]] = set()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="fan-out")

    def collect(room_for: int) -> None:
        while len(pending) > room_for:
            done = wait(pending, return_when=FIRST_COMPLETED).done
            pending.difference_update(done)
            for future in done:
                tally.add(future.result())
            if progress is not None:
                progress(tally.counts())

    try:
        for connection in wanted:
            if deadline is not None and clock() >= deadline:
                tally.cut_short = True
                break
            collect(workers * _QUEUED_PER_WORKER - 1)
            pending.add(pool.submit(_one, connection, post, forget))
        collect(0)
    except BaseException as error:
        pool.shutdown(wait=True, cancel_futures=not isinstance(error, Exception))
        raise
    pool.shutdown(wait=True)
    return tally.counts()


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    forgotten: bool = False
    trouble: str = ""


def _one(
    connection: Connection, post: Callable[[str], Outcome], forget: Callable[[Connection], bool]
) -> _Result:
    try:
        outcome = post(connection.connection_id)
    except Exception as error:
        return _Result(Failed(type(error).__name__))
    if not isinstance(outcome, Gone):
        return _Result(outcome)
    try:
        return _Result(outcome, forgotten=forget(connection))
    except Exception as error:
        return _Result(outcome, trouble=f"not forgotten: {type(error).__name__}")


class _Tally:
    def __init__(self) -> None:
        self.cut_short = False
        self._kinds: Counter[type[Outcome]] = Counter()
        self._reasons: Counter[str] = Counter()
        self._forgotten = 0
        self._retries = 0

    def add(self, result: _Result) -> None:
        outcome = result.outcome
        self._kinds[type(outcome)] += 1
        self._retries += outcome.retries
        self._forgotten += result.forgotten
        match outcome:
            case Delivered():
                pass
            case Gone():
                self._because(result.trouble)
            case Refused() | Failed():
                self._because(outcome.reason)
            case _:
                assert_never(outcome)

    def _because(self, reason: str) -> None:
        if reason and (reason in self._reasons or len(self._reasons) < _MAX_REASONS):
            self._reasons[reason] += 1

    def counts(self) -> Counts:
        return Counts(
            recipients=self._kinds.total(),
            delivered=self._kinds[Delivered],
            gone=self._kinds[Gone],
            forgotten=self._forgotten,
            refused=self._kinds[Refused],
            failed=self._kinds[Failed],
            retries=self._retries,
            cut_short=self.cut_short,
            reasons=tuple(self._reasons.most_common()),
        )
