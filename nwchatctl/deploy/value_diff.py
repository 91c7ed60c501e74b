"""The part of two long values that differs, for a person: both halves of a change never look the same."""

from __future__ import annotations

import json

CUT = "…"
"""Stands for what is left out: equal in both values, or too long."""

_CONTEXT = 20
"""Characters that are shown before and after a difference."""


def differing(before: str, after: str, width: int) -> tuple[str, str]:
    """Both values, or of a long one about `width` characters around the first difference.

    Of JSON objects (statements of a policy) the members that differ, of lists the elements that the other one
    does not have.

    >>> differing('{"Action":["a","b"],"Resource":"*"}', '{"Action":["a"],"Resource":"*"}', 20)
    ('Action […,"b"]', 'Action […]')
    """
    if max(len(before), len(after)) <= width:
        return before, after
    if not before or not after:
        return _cut(before, width), _cut(after, width)
    members = _differing_members(before, after, width)
    if members is not None and members[0] != members[1]:
        return members
    return _around(before, after, width)


def _differing_members(before: str, after: str, width: int) -> tuple[str, str] | None:
    """The members that differ of two JSON objects, `None` for other texts."""
    try:
        old, new = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return None
    pairs = {
        name: _reduced(old.get(name), new.get(name), width)
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }
    if not pairs:
        return None
    texts = [", ".join(f"{name} {pair[side]}" for name, pair in pairs.items()) for side in (0, 1)]
    return _cut(texts[0], 2 * width), _cut(texts[1], 2 * width)


def _reduced(old: object, new: object, width: int) -> tuple[str, str]:
    """The differing parts of two JSON values, as text."""
    match old, new:
        case dict(), dict():
            parts = {
                name: _reduced(old.get(name), new.get(name), width)
                for name in {**old, **new}
                if old.get(name) != new.get(name)
            }
            first, second = (
                "{" + ",".join(f"{json.dumps(name)}:{pair[side]}" for name, pair in parts.items()) + "}"
                for side in (0, 1)
            )
            return first, second
        case list(), list():
            return _reduced_lists(old, new, width)
    return _around(_json(old), _json(new), width)


def _reduced_lists(old: list[object], new: list[object], width: int) -> tuple[str, str]:
    removed, added = [each for each in old if each not in new], [each for each in new if each not in old]
    if not removed and not added:
        # The same elements in another order.
        return _around(_json(old), _json(new), width)
    shared = [CUT] if len(removed) < len(old) or len(added) < len(new) else []
    if len(removed) == len(added) == 1:
        first, second = _reduced(removed[0], added[0], width)
        return f"[{','.join([*shared, first])}]", f"[{','.join([*shared, second])}]"
    return _elements(shared, removed, width), _elements(shared, added, width)


def _elements(shared: list[str], elements: list[object], width: int) -> str:
    return _cut(f"[{','.join([*shared, *map(_json, elements)])}]", width)


def _json(value: object) -> str:
    return "(none)" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _around(before: str, after: str, width: int) -> tuple[str, str]:
    """The texts without most of what they begin and end with alike."""
    if max(len(before), len(after)) <= width:
        return before, after
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    return _window(before, start, end, width), _window(after, start, end, width)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (first, second) in pairs if first != second), min(len(one), len(other)))


def _window(text: str, start: int, end: int, width: int) -> str:
    """`text` without its first `start` and last `end` characters, with a little of both."""
    # A single character is no longer than its ellipsis.
    first = start - _CONTEXT if start - _CONTEXT > 1 else 0
    last = len(text) - end + _CONTEXT if end - _CONTEXT > 1 else len(text)
    shown = f"{CUT if first else ''}{text[first:last]}"
    return _cut(shown + (CUT if last < len(text) else ""), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}{CUT}"
