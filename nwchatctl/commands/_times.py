"""Times as they are shown: to people in local time, in JSON in UTC."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime


def iso(ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601 in UTC; None for none, or for a time that no calendar has."""
    moment = _moment(ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def local(ms: int | None) -> str:
    """Epoch milliseconds in local time, to the second; in UTC where that is in no calendar (the last hours of
    the year 9999, east of Greenwich), and `-` for none."""
    moment = _moment(ms)
    if moment is None:
        return "-"
    with suppress(ValueError, OverflowError, OSError):
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _moment(ms: int | None) -> datetime | None:
    try:
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
