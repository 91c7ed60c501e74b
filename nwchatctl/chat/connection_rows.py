"""Which rows of the connections table are wanted, and how each stands should its socket be gone. Pure.

Times are epoch ms, and all of AWS's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from nwchat.model.rows import Connection, Recipient, connection_of
from nwchat.storage.scan import Part, ScanPage

_PARTS = 4
ALL_PARTS = tuple(Part(number, _PARTS) for number in range(_PARTS))
"""The parts that the table is read in at once. A part gives some 5,000 connections a second."""
PAGE_ROWS = 1_000
"""Rows that are read at once: of what is read ahead, this bounds the memory."""


class RowAge(Enum):
    """What a row is, in the `note` of its Recipient, should its socket be gone."""

    OLD = "old"
    """To be deleted; also one whose age cannot be read."""
    YOUNG = "young"
    """To be spared: API Gateway has said 410 of sockets that were just being made."""
    ABSENT = "absent"
    """None at all: the id was given by somebody."""


def row_age(connected_at: int | None, now_ms: int, grace_ms: int) -> RowAge:
    """Of a row that was read at `now_ms`, by the clock that `connected_at` (epoch ms) is of: AWS's."""
    if connected_at is not None and now_ms - connected_at < grace_ms:
        return RowAge.YOUNG
    return RowAge.OLD


def last_activity(connected_at: int | None, last_seen_at: int | None) -> int | None:
    """When a connection gave its last sign of life, epoch ms; None where its row does not say."""
    return max((each for each in (connected_at, last_seen_at) if each is not None), default=None)


def is_older(connected_at: int | None, last_seen_at: int | None, before_ms: int | None) -> bool:
    """Whether the last sign of life was before `before_ms`; always without one, or without a bound."""
    last = last_activity(connected_at, last_seen_at)
    return before_ms is None or last is None or last < before_ms


@dataclass(frozen=True)
class ConnectionQuery:
    """The rows of `user` ("" for everybody's) that were last heard of before `before_ms`, less those that are
    not `wanted`; with `expired` also those that TTL has not deleted yet. `scan` is that of
    `nwchat.storage.store.Store`."""

    scan: Callable[..., Iterator[ScanPage]]
    now_ms: Callable[[], int]
    grace_ms: int
    user: str = ""
    before_ms: int | None = None
    expired: bool = False
    wanted: Callable[[Connection], bool] | None = None

    def pages(self, part: Part) -> Iterator[Sequence[Recipient]]:
        """Those of one part, each with its Standing as a note, as it was when its page was read: an answer of
        API Gateway's that comes later is of a time when the row was older still."""
        pages = self.scan(
            part,
            self.now_ms(),
            consistent=True,
            user=self.user,
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
