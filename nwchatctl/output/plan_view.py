"""How a plan reads: lines for a person, objects for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nwchatctl.deploy.changes import Change, Field


_SHOWN = 72
"""Characters of a value that a person sees; `--json` has all of it."""


_SIGNS = {"create": ("+", Mark.ADD), "update": ("~", Mark.CHANGE), "delete": ("-", Mark.REMOVE)}


def as_json(changes: Iterable[Change]) -> list[dict[str, object]]:
    """Changes as the contract has them; `fields` is a list of `{"name", "before", "after"}`."""
    described = ((each.action, *_described(each)) for each in changes)
    return [
        {
            "action": action,
            "kind": kind,
            "name": name,
            "fields": [
                {"name": each.name, "before": each.before or None, "after": each.after or None}
                for each in fields
            ],
        }
        for action, kind, name, fields in described
    ]


def as_lines(changes: Sequence[Change], *, verbose: bool = False) -> tuple[Line, ...]:
    """The plan for a person: a line a resource, and one more for each further attribute that changes.

    `verbose` shows the attributes of what will be made as well, and every value whole.
    """
    return tuple(line for each in changes for line in _lines(each, verbose))


def plan_lines(
    changes: Sequence[Change], mark: Mark = Mark.HEAD, *, verbose: bool = False
) -> tuple[Line, ...]:
    """As `as_lines`, with the summary as the last line."""
    return (*as_lines(changes, verbose=verbose), Line(summary(changes), mark))


def _lines(change: Change, verbose: bool) -> list[Line]:
    sign, mark = _SIGNS[change.action]
    kind, name, fields = _described(change)
    head = f"{sign} {kind} {name}"
    if change.action != "update":
        shown = fields if verbose else ()
        return [Line(head, mark), *(Line(f"    {each.name} {each.after}", mark) for each in shown)]
    texts = [f"{each.name} {_short(each.before, verbose)} → {_short(each.after, verbose)}" for each in fields]
    first, *more = texts
    return [Line(f"{head}  {first}", mark), *(Line(f"    {each}", mark) for each in more)]


def _described(change: Change) -> tuple[str, str, tuple[Field, ...]]:
    """The kind and name of the resource, and its attributes before and after."""
    from nwchatctl.deploy.changes import changed_key, fields

    kind, name = changed_key(change)
    return kind, name, fields(change)


def _short(value: str, verbose: bool) -> str:
    if not value:
        return "(none)"
    return value if verbose or len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"


def summary(changes: Sequence[Change]) -> str:
    """`3 to create, 1 to update`, or that there is nothing to do."""
    counts = [(verb, sum(each.action == verb for each in changes)) for verb in ("create", "update", "delete")]
    text = ", ".join(f"{count} to {verb}" for verb, count in counts if count)
    return text or "nothing to do: the chat is as configured"
