"""pydantic's errors in the terms of nwchat.toml, without values that may be secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from nwchatctl.redaction import looks_secret

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WRONG_SETTING = "wrong_setting"


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


def wrong_setting(key: str, requirement: str) -> PydanticCustomError:
    """The error of a check of several settings, or of a tag: `key` is the one to change."""
    return PydanticCustomError(_WRONG_SETTING, "{requirement}", {"key": key, "requirement": requirement})


def describe(fault: ErrorDetails, places: Mapping[str, str]) -> str:
    """`/p/nwchat.toml:7: stage.throttle_rate must be more than 0, not -1.0`."""
    # A bound of a float is written as people write it: 1000000, not 1000000.0.
    context = {
        name: int(each) if isinstance(each, float) and each.is_integer() else each
        for name, each in fault.get("ctx", {}).items()
    }
    # `wrong_setting`: of several settings, or of the keys of a table.
    name = str(context.get("key", "")) or ".".join(str(part) for part in fault["loc"][:2])
    place = places.get(name) or next((places[each] for each in places if each.startswith(f"{name}.")), "")
    words = _WORDS.get(fault["type"])
    if fault["type"] in ("value_error", _WRONG_SETTING):
        message = fault["msg"].removeprefix("Value error, ")
    else:
        message = words.format(**context) if words else f"is refused: {fault['msg']}"
    shown = "" if _hidden(name, fault["input"]) else f", not {_short(fault['input'])}"
    return f"{place}: {name} {message}{shown}" if place else f"{name} {message}{shown}"


def _hidden(name: str, value: object) -> bool:
    # A table is never shown: any of its keys may be secret.
    return looks_secret(name) or isinstance(value, dict)


def _toml(value: object) -> str:
    """About as it stands in nwchat.toml."""
    match value:
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case date() | time():
            return value.isoformat()
        case int() if abs(value) >= 10**_MAX_SHOWN_CHARS:
            # Python refuses to write a number of some thousand digits.
            return "a number of so many digits"
        case _:
            return repr(value)


def _short(value: object) -> str:
    text = _toml(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 1]}…"
