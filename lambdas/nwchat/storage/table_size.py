"""About how many connections there are, without reading them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

CACHE_SECONDS = 300.0
"""How long an answer is good for: DynamoDB itself counts every six hours only."""


class TableSize:
    """`ask` gives the table's own count; it is asked at most every `KEPT_SECONDS` of `clock`."""

    def __init__(
        self,
        count_rows: Callable[[], int],
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count_rows = count_rows
        self._log = log
        self._clock = clock
        self._count = 0
        self._expires_at = -1.0

    def at_least(self, seen: int) -> int:
        """How many there may be, where `seen` have been seen. A count that cannot be had is none."""
        if self._clock() >= self._expires_at:
            self._expires_at = self._clock() + CACHE_SECONDS
            try:
                self._count = self._count_rows()
            except Exception as error:
                self._log.warning("the table's size is not known", extra={"why": str(error)})
        return max(seen, self._count)
