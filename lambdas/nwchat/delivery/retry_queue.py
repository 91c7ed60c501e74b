"""Items that wait for a retry, and which of them go before new ones. Pure."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

NEW_PER_REJECTED = 9
"""How many new requests are sent for each retry after a 429 that may mean a full buffer, so that slow readers
take at most a tenth of the rate."""
MAX_REJECTED = 2_000
"""How many such retries may wait. Beyond it they are sent before new requests, which bounds the memory."""


class RetryQueue(Generic[T]):
    """Two heaps of items by due time (monotonic seconds).

    `ordinary` items go before new requests. `rejected` ones, of connections that may have a full buffer, wait
    for their share.
    """

    def __init__(self) -> None:
        self.ordinary: list[tuple[float, int, T]] = []
        self.rejected: list[tuple[float, int, T]] = []
        self._numbers = count()
        self.new_since_rejected = 0
        """How many new requests were sent since the last rejected item."""

    def __bool__(self) -> bool:
        return bool(self.ordinary or self.rejected)

    def push(self, item: T, due: float, *, rejected: bool) -> None:
        """Add an item to retry at `due`."""
        heap = self.rejected if rejected else self.ordinary
        heapq.heappush(heap, (due, next(self._numbers), item))

    def is_due(self, now: float) -> bool:
        """Whether an ordinary item is due."""
        return bool(self.ordinary) and self.ordinary[0][0] <= now

    def is_rejected_due(self, now: float) -> bool:
        """Whether a rejected item is due."""
        return bool(self.rejected) and self.rejected[0][0] <= now

    def has_share(self) -> bool:
        """Whether it is a rejected item's turn, or too many of them wait."""
        return self.new_since_rejected >= NEW_PER_REJECTED or len(self.rejected) > MAX_REJECTED

    def pop(self) -> T:
        """Remove the first ordinary item."""
        return heapq.heappop(self.ordinary)[2]

    def pop_rejected(self) -> T:
        """Remove the first rejected item."""
        self.new_since_rejected = 0
        return heapq.heappop(self.rejected)[2]

    def next_due(self) -> float:
        """When the first item is due; infinity when none waits."""
        return min((heap[0][0] for heap in (self.ordinary, self.rejected) if heap), default=math.inf)

    def drain(self) -> list[T]:
        """Remove all items."""
        items = [item for heap in (self.ordinary, self.rejected) for _, _, item in heap]
        self.ordinary, self.rejected = [], []
        return items
