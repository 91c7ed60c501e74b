"""AWS's own clock, as the answers of a client tell it."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

TOLERATED_MS = 5_000
"""Clocks that differ by less are the same one: a Date is a whole second, and some milliseconds old."""


class ServerClock:
    """Tells AWS's time by the Date of the latest answer that `client` got; `now_ms` is this machine's, in
    epoch ms as all of it, and what is told where they do not differ by more than TOLERATED_MS, or before
    there was an answer."""

    def __init__(self, client: Any, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._offset_ms = 0
        events = client.meta.events
        events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}.*", self._record_date)

    def now_ms(self) -> int:
        """The time at AWS. Never later than it is by more than TOLERATED_MS."""
        return self._now_ms() + self._offset_ms

    def _record_date(self, parsed: Any, **_: object) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        self._offset_ms = clock_offset_ms(date, self._now_ms())


def clock_offset_ms(date: str, now_ms: int) -> int:
    """How many ms an HTTP `date` is ahead of `now_ms`; 0 for a few seconds, or for what is no date."""
    try:
        ahead = round(parsedate_to_datetime(date).timestamp() * 1000) - now_ms
    except (TypeError, ValueError, OverflowError):
        return 0
    return ahead if abs(ahead) > TOLERATED_MS else 0
