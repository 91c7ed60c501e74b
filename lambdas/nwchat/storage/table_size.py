"""The approximate number of connections, without reading them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from nwchat.log import error_name

CACHE_SECONDS = 300.0
"""How long a count is used: DynamoDB updates it only every six hours."""


class TableSize:
    """Caches the item count that `count_rows` returns.

    It is called at most every CACHE_SECONDS of `clock`.
    """

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
        """The larger of `seen` and the cached count. A count that cannot be read is ignored."""
        if self._clock() >= self._expires_at:
            self._expires_at = self._clock() + CACHE_SECONDS
            try:
                self._count = self._count_rows()
            except Exception as error:
                self._log.warning("the table's size is not known", extra={"error": error_name(error)})
        return max(seen, self._count)
