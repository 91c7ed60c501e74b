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
    if ms is None:
        return None
    # Not ms / 1000: so far off a float has no milliseconds.
    seconds, rest = divmod(ms, 1000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    except (ValueError, OverflowError, OSError):
        return None
