"""About how many connections there are, without reading them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

KEPT_SECONDS = 300.0
"""How long an answer is good for: DynamoDB itself counts every six hours only."""


class TableSize:
    """`ask` gives the table's own count; it is asked at most every `KEPT_SECONDS` of `clock`."""

    def __init__(
        self,
        ask: Callable[[], int],
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._log = log
        self._clock = clock
        self._known = 0
        self._until = -1.0

    def at_least(self, seen: int) -> int:
        """How many there may be, where `seen` have been seen. A count that cannot be had is none."""
        if self._clock() >= self._until:
            self._until = self._clock() + KEPT_SECONDS
            try:
                self._known = self._ask()
            except Exception as error:
                self._log.warning("the table's size is not known", extra={"why": str(error)})
        return max(seen, self._known)
