"""Selects rows of the connections table, with the age of each. Pure.

Times are epoch ms of AWS's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from nwchat.model.rows import Connection, Recipient, connection_of
from nwchat.storage.scan import ScanPage, ScanSegment

_PARTS = 4
ALL_PARTS = tuple(ScanSegment(number, _PARTS) for number in range(_PARTS))
"""The parts of the table that are read concurrently. A part gives some 5,000 connections a second."""
PAGE_ROWS = 1_000
"""Rows per page: this bounds the memory for pages that are read ahead."""


class RowAge(Enum):
    """The age of a row, in the `note` of its Recipient: what happens to it if its connection is closed."""

    OLD = "old"
    """The row is deleted; also if its age cannot be read."""
    YOUNG = "young"
    """The row is kept: API Gateway returns 410 for connections that are just being made."""
    ABSENT = "absent"
    """There is no row: the id was given by the operator."""


def row_age(connected_at: int | None, now_ms: int, grace_ms: int) -> RowAge:
    """The age of a row that was read at `now_ms`; both times are of AWS's clock, in epoch ms."""
    if connected_at is not None and now_ms - connected_at < grace_ms:
        return RowAge.YOUNG
    return RowAge.OLD


def last_activity(connected_at: int | None, last_seen_at: int | None) -> int | None:
    """The last activity of a connection, epoch ms; None if its row does not say."""
    return max((each for each in (connected_at, last_seen_at) if each is not None), default=None)


def is_older(connected_at: int | None, last_seen_at: int | None, before_ms: int | None) -> bool:
    """Whether the last activity was before `before_ms`; True without an activity or without a limit."""
    last = last_activity(connected_at, last_seen_at)
    return before_ms is None or last is None or last < before_ms


@dataclass(frozen=True)
class ConnectionQuery:
    """The rows whose last activity was before `before_ms` and that are `wanted`; with `expired` also those
    that TTL has not deleted yet. `scan` is that of `nwchat.storage.store.Store`."""

    scan: Callable[..., Iterator[ScanPage]]
    now_ms: Callable[[], int]
    grace_ms: int
    before_ms: int | None = None
    expired: bool = False
    wanted: Callable[[Connection], bool] | None = None

    def pages(self, part: ScanSegment) -> Iterator[Sequence[Recipient]]:
        """The rows of one part, each with its RowAge as a note, by the time when its page was read: a later
        response of API Gateway is of a time when the row was older."""
        pages = self.scan(
            part,
            self.now_ms(),
            consistent=True,
            expired=self.expired,
            with_names=self.wanted is not None,
            page_size=PAGE_ROWS,
        )
        for found in pages:
            now_ms = self.now_ms()
            yield [self._with_age(each, now_ms) for each in found.recipients if self._is_wanted(each)]

    def _with_age(self, recipient: Recipient, now_ms: int) -> Recipient:
        return recipient._replace(note=row_age(recipient.connected_at, now_ms, self.grace_ms))

    def _is_wanted(self, recipient: Recipient) -> bool:
        if self.before_ms is None and self.wanted is None:
            return True
        row = connection_of(recipient.row)
        if self.wanted is not None and not self.wanted(row):
            return False
        return is_older(row.connected_at, row.last_seen_at, self.before_ms)
