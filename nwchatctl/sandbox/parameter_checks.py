"""Checks of parameters, compiled from the shapes of a service model: required members, patterns, lengths,
ranges, enums and types.

The texts are those of AWS's services: "1 validation error detected: Value 'a b' at 'tableName' failed to
satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from nwchatctl.sandbox.request_model import Shape, UnreadableRequest, members, model

Check = Callable[[Any, str, list[str]], None]
"""Appends what is wrong with a value at a path. Raises UnreadableRequest for a value of another type."""

MAX_SHOWN = 10
"""How many violations an error lists."""

_MAY_BE_EMPTY = ("truststoreUri",)
"""Parameters that AWS takes although its model does not: without a trust store, mutual TLS is off (API
Gateway developer guide, "Turn off mutual TLS authentication")."""

_NAMED_LENGTH = re.compile(r"(?:String|Uri)\w*?WithLengthBetween(\d+)And(\d+)")
"""API Gateway's model has the lengths of most of its strings only in the names of their shapes."""

_SPACES = r"\u0020\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"


def violations(service: str, shape: str, parameters: Any) -> list[str]:
    """What a service finds wrong with the parameters of a call whose input shape is `shape`; [] for nothing.

    Raises UnreadableRequest.
    """
    check = _checks(service).of(shape) if shape else None
    found: list[str] = []
    if check is not None:
        check(parameters, "", found)
    return found


def message(found: list[str]) -> str:
    """The text of a validation error."""
    errors = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
    return f"{errors} detected: {'; '.join(found[:MAX_SHOWN])}"


@cache
def compiled_pattern(pattern: str) -> re.Pattern[str] | None:
    """A service model's pattern, which is one of Java's; None for one that Python cannot express.

    Python's `\\w` is Unicode's letters and numbers, and `_`: what the classes with `\\p{L}` mean, as all of
    them have `\\p{N}` and `_` too.
    """
    if r"\p{P}" in pattern or r"\p{M}" in pattern:
        return None
    flags = re.NOFLAG if r"\p{L}" in pattern else re.ASCII
    translated = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", "").replace(r"\p{Z}", _SPACES)
    translated = translated.replace(r"\p{ASCII}", r"[\x00-\x7F]").replace(r"\p{Print}", r"[\x20-\x7E]")
    # Pairs of surrogates, which Java counts as two characters.
    translated = translated.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    # A hyphen behind a class of characters is none of a range.
    return re.compile(re.sub(r"(\\w)-(?=[^\]])", r"\1\\-", translated), flags)


@cache
def _checks(service: str) -> _Checks:
    return _Checks(service)


class _Checks:
    """The checks of one service's shapes, each compiled when it is first used."""

    def __init__(self, service: str) -> None:
        self._shapes = model(service).shapes
        self._compiled: dict[str, Check | None] = {}

    def of(self, name: str) -> Check | None:
        """The check of a shape; None if every value passes."""
        if name not in self._compiled:
            # A shape may contain itself; while it is compiled, its parts look it up when they run.
            self._compiled[name] = lambda value, path, found: self._run(name, value, path, found)
            self._compiled[name] = self._compile(name) if self._is_constrained(name, set()) else None
        return self._compiled[name]

    def _run(self, name: str, value: Any, path: str, found: list[str]) -> None:
        check = self._compiled[name]
        if check is not None:
            check(value, path, found)

    def _is_constrained(self, name: str, seen: set[str]) -> bool:
        """Whether the shape, or one that it contains, has a constraint."""
        if name in seen:
            return False
        seen.add(name)
        shape = self._shapes[name]
        if _has_constraint(name, shape):
            return True
        return any(self._is_constrained(each, seen) for each in _parts(shape))

    def _compile(self, name: str) -> Check:
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                return self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case "integer" | "long" | "float" | "double":
                return _number(shape)
            case "blob":
                return _blob(shape)
        return _string(name, shape)

    def _structure(self, shape: Shape) -> Check:
        required = set(shape.get("required", ()))
        # Each with its name in an error: AWS shows the first letter in lower case.
        parts = [
            (wire, f"{name[:1].lower()}{name[1:]}", name in required, self.of(member["shape"]))
            for name, wire, member in members(shape)
        ]
        parts = [each for each in parts if each[2] or each[3]]

        def check(value: Any, path: str, found: list[str]) -> None:
            if not isinstance(value, dict):
                raise UnreadableRequest
            for wire, name, is_required, inner in parts:
                given = value.get(wire)
                if given is None:
                    if is_required:
                        found.append(_violation("null", _join(path, name), "Member must not be null"))
                elif inner is not None:
                    inner(given, _join(path, name), found)

        return check

    def _list(self, shape: Shape) -> Check:
        inner = self.of(shape["member"]["shape"])
        size = _length(shape)

        def check(value: Any, path: str, found: list[str]) -> None:
            if not isinstance(value, list):
                raise UnreadableRequest
            size(value, len(value), path, found)
            if inner is not None:
                for number, each in enumerate(value, 1):
                    inner(each, f"{path}.{number}.member", found)

        return check

    def _map(self, shape: Shape) -> Check:
        of_key, of_value = self.of(shape["key"]["shape"]), self.of(shape["value"]["shape"])
        size = _length(shape)

        def check(value: Any, path: str, found: list[str]) -> None:
            if not isinstance(value, dict):
                raise UnreadableRequest
            size(value, len(value), path, found)
            for key, each in value.items():
                if of_key is not None:
                    of_key(key, path, found)
                if of_value is not None and each is not None:
                    of_value(each, f"{path}.{key}.member", found)

        return check


def _has_constraint(name: str, shape: Shape) -> bool:
    own = any(each in shape for each in ("min", "max", "pattern", "enum"))
    return own or bool(shape.get("required")) or bool(_NAMED_LENGTH.fullmatch(name))


def _parts(shape: Shape) -> list[str]:
    inner = [*shape.get("members", {}).values(), *(shape.get(each) for each in ("member", "key", "value"))]
    return [each["shape"] for each in inner if each]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _violation(value: str, path: str, constraint: str) -> str:
    shown = f"Value {value}" if value else "Value"
    return f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _bounds(name: str, shape: Shape) -> tuple[float, float]:
    named = _NAMED_LENGTH.fullmatch(name)
    least, most = (int(named[1]), int(named[2])) if named else (0, float("inf"))
    return shape.get("min", least), shape.get("max", most)


def _length(shape: Shape, name: str = "") -> Callable[[Any, int, str, list[str]], None]:
    least, most = _bounds(name, shape)
    hidden = shape.get("sensitive", False)

    def check(value: Any, size: int, path: str, found: list[str]) -> None:
        if least <= size <= most or (not size and path.endswith(_MAY_BE_EMPTY)):
            return
        text = "greater than or equal to" if size < least else "less than or equal to"
        bound = least if size < least else most
        found.append(
            _violation("" if hidden else f"'{value}'", path, f"Member must have length {text} {bound}")
        )

    return check


def _string(name: str, shape: Shape) -> Check:
    length = _length(shape, name)
    pattern = compiled_pattern(shape["pattern"]) if "pattern" in shape else None
    enum = frozenset(shape.get("enum", ()))
    hidden = shape.get("sensitive", False)

    def check(value: Any, path: str, found: list[str]) -> None:
        if not isinstance(value, str):
            raise UnreadableRequest
        length(value, len(value), path, found)
        shown = "" if hidden else f"'{value}'"
        if pattern is not None and pattern.fullmatch(value) is None:
            text = f"Member must satisfy regular expression pattern: {shape['pattern']}"
            found.append(_violation(shown, path, text))
        if enum and value not in enum:
            text = f"Member must satisfy enum value set: [{', '.join(sorted(enum))}]"
            found.append(_violation(shown, path, text))

    return check


def _number(shape: Shape) -> Check:
    least, most = shape.get("min"), shape.get("max")

    def check(value: Any, path: str, found: list[str]) -> None:
        try:
            # Forms, paths and queries have numbers as text.
            number = float(value)
        except (TypeError, ValueError) as error:
            raise UnreadableRequest from error
        for is_broken, text, bound in (
            (least is not None and number < least, "greater than or equal to", least),
            (most is not None and number > most, "less than or equal to", most),
        ):
            if is_broken:
                found.append(_violation(f"'{value}'", path, f"Member must have value {text} {bound}"))

    return check


def _blob(shape: Shape) -> Check:
    """The length of the bytes: `bytes` as they are, text as base64."""
    length = _length({**shape, "sensitive": True})

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, str):
            length(value, len(value.rstrip("=")) * 3 // 4, path, found)
        elif isinstance(value, bytes):
            length(value, len(value), path, found)
        else:
            raise UnreadableRequest

    return check
