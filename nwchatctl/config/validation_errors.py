"""pydantic's errors in the terms of nwchat.toml, without values that may be secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nwchatctl.redaction import looks_secret

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


_MAX_SHOWN_CHARS = 60
"""The maximum of characters of an invalid value in an error."""

_WORDS = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list of texts, as ["a", "b"]',
    "dict_type": "must be a table",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
}


def describe(fault: ErrorDetails, places: Mapping[str, str]) -> str:
    """`/p/nwchat.toml:7: stage.throttle_rate must be more than 0, not -1.0`."""
    name = ".".join(str(part) for part in fault["loc"][:2])
    place = places.get(name, "")
    words = _WORDS.get(fault["type"])
    if fault["type"] == "value_error":
        message = fault["msg"].removeprefix("Value error, ")
    else:
        message = words.format(**fault.get("ctx", {})) if words else f"is refused: {fault['msg']}"
    shown = "" if _hidden(name, fault["input"]) else f", not {_short(fault['input'])}"
    return f"{place}: {name} {message}{shown}" if place else f"{name} {message}{shown}"


def _hidden(name: str, value: object) -> bool:
    # A table is never shown: any of its keys may be secret.
    return looks_secret(name) or isinstance(value, dict)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 1]}…"
