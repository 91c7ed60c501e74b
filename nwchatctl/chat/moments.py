"""Times as files and AWS write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

MS_FROM = 100_000_000_000
"""Numbers from here on are epoch milliseconds, below it seconds (as in options.parse_when)."""


def iso_ms(text: str) -> int | None:
    """Epoch ms of a time in ISO 8601, which is UTC where it doesn't say, so that it means the same on every
    machine; None for what is no time."""
    try:
        moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None
