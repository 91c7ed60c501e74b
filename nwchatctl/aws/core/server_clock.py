"""AWS's clock, from the Date header of responses."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

TOLERATED_MS = 5_000
"""A smaller difference is ignored: a Date header has whole seconds and is some milliseconds old."""


class ServerDates:
    """The Date of the latest response that any attached client received. `clock` returns monotonic seconds,
    so that a change of this machine's clock changes nothing. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._latest: tuple[int, float] | None = None

    def attach(self, client: Any) -> None:
        """Records the dates of the responses to this client."""
        client.meta.events.register("after-call.*.*", self._record_date)

    def now_ms(self) -> int | None:
        """AWS's time now, epoch ms, to a second; None before the first response."""
        if self._latest is None:
            return None
        date_ms, received_at = self._latest
        return date_ms + round((self._clock() - received_at) * 1000)

    def _record_date(self, parsed: Any, **_: object) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        if (date_ms := parse_date(date)) is not None:
            self._latest = (date_ms, self._clock())


class ServerClock:
    """AWS's time by `dates`. `local_ms` is this machine's clock, epoch ms; it is used unchanged before the
    first response, and if it differs from AWS's by at most TOLERATED_MS."""

    def __init__(self, dates: ServerDates, local_ms: Callable[[], int]) -> None:
        self._dates = dates
        self._local_ms = local_ms

    @property
    def is_set(self) -> bool:
        """Whether there was a response."""
        return self._dates.now_ms() is not None

    def now_ms(self) -> int:
        """AWS's time, epoch ms; off by at most TOLERATED_MS."""
        local, server = self._local_ms(), self._dates.now_ms()
        return local if server is None or abs(server - local) <= TOLERATED_MS else server


def parse_date(date: str) -> int | None:
    """An HTTP date in epoch ms; None if it is none."""
    try:
        return round(parsedate_to_datetime(date).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
