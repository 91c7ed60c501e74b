"""AWS's clock, from the Date header of responses."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

TOLERATED_MS = 5_000
"""A smaller difference is ignored: a Date header has whole seconds and is some milliseconds old."""


class ServerClock:
    """AWS's time, by the Date of the latest response that `client` received. `now_ms` is this machine's
    clock; it is used unchanged before the first response, and if the difference is at most TOLERATED_MS. All
    in epoch ms."""

    def __init__(self, client: Any, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._offset_ms = 0
        events = client.meta.events
        events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}.*", self._record_date)

    def now_ms(self) -> int:
        """AWS's time, epoch ms; at most TOLERATED_MS ahead of it."""
        return self._now_ms() + self._offset_ms

    def _record_date(self, parsed: Any, **_: object) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        self._offset_ms = clock_offset_ms(date, self._now_ms())


def clock_offset_ms(date: str, now_ms: int) -> int:
    """How many ms an HTTP `date` is ahead of `now_ms`; 0 if at most TOLERATED_MS, or if it is not a date."""
    try:
        ahead = round(parsedate_to_datetime(date).timestamp() * 1000) - now_ms
    except (TypeError, ValueError, OverflowError):
        return 0
    return ahead if abs(ahead) > TOLERATED_MS else 0
