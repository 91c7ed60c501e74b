"""JSON for scripts: ASCII, an object a line, so that nothing in it acts upon a terminal either."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePath

from nwchatctl.report import StreamedList


def line(data: Mapping[str, object]) -> str:
    """One line with its newline. Raises ValueError for NaN, TypeError for what JSON has no word for."""
    return _text(dict(data)) + "\n"


def pieces(data: Mapping[str, object]) -> Iterator[str]:
    """The same line in pieces, for data that is made while it is written: `nwchatctl.report.StreamedList`."""
    if not any(isinstance(value, StreamedList) or callable(value) for value in data.values()):
        yield line(data)
        return
    before = "{"
    for key, value in data.items():
        yield f"{before}{_text(key)}: "
        before = ", "
        if isinstance(value, StreamedList):
            yield from _list(value)
        else:
            yield _text(value() if callable(value) else value)
    yield "}\n"


def _list(items: StreamedList) -> Iterator[str]:
    before = "["
    for each in items:
        yield before + _text(each)
        before = ", "
    yield "[]" if before == "[" else "]"


def error(code: str, message: str, hint: str) -> str:
    """The line that says on stderr what failed."""
    return line({"error": {"code": code, "message": message, "hint": hint}})


def _text(value: object) -> str:
    return json.dumps(value, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong into a report's data")
