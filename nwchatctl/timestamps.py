"""Times as numbers and as text. Everywhere else in the program a time is a whole number of epoch ms."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

MS_FROM = 100_000_000_000
"""Numbers from here on are epoch milliseconds, smaller ones epoch seconds: as seconds this is the year 5138,
as milliseconds 1973."""

LAST_MS = 253_402_300_799_999
"""The end of the year 9999, in epoch ms."""

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def to_ms(number: float) -> int:
    """Epoch ms of a number of epoch seconds or milliseconds."""
    return round(number if number >= MS_FROM else number * 1000)


def iso_to_ms(text: str, *, local: bool = False) -> int | None:
    """Epoch ms of a time in ISO 8601; None for any other text.

    A time without an offset is in UTC, so that a file means the same on every machine; with `local`, as a
    person types it, it is in this machine's time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and not local:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def parse_ms(text: str) -> int | None:
    """Epoch ms of epoch seconds, epoch milliseconds or ISO 8601 (UTC without an offset); None for any other
    text."""
    if _NUMBER.fullmatch(text):
        return to_ms(float(text) if "." in text else int(text))
    return iso_to_ms(text)


def iso(ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601 in UTC; None for None, and for a time outside the calendar."""
    moment = _moment(ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def local(ms: int | None) -> str:
    """Epoch milliseconds in local time, to the second; `-` for None.

    In UTC if the local time is outside the calendar (the last hours of the year 9999, east of Greenwich).
    """
    moment = _moment(ms)
    if moment is None:
        return "-"
    with suppress(ValueError, OverflowError, OSError):
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _moment(ms: int | None) -> datetime | None:
    if ms is None:
        return None
    # Not ms / 1000: a float that large loses milliseconds.
    seconds, rest = divmod(ms, 1000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    except (ValueError, OverflowError, OSError):
        return None
