"""JSON for scripts: ASCII, an object a line, so that nothing in it acts upon a terminal either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath


def line(data: Mapping[str, object]) -> str:
    """One line with its newline. Raises ValueError for NaN, TypeError for what JSON has no word for."""
    return json.dumps(dict(data), allow_nan=False, default=_plain) + "\n"


def error(code: str, message: str, hint: str) -> str:
    """The line that says on stderr what failed."""
    return line({"error": {"code": code, "message": message, "hint": hint}})


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong into a report's data")
