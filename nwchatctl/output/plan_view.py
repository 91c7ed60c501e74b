"""How a plan reads: lines for a person, objects for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nwchatctl.deploy.changes import Change, Field
    from nwchatctl.deploy.consequences import Consequence

_SHOWN = 72
"""Characters of a value that a person sees; `--json` and `-v` have all of it."""

_CUT_NOTE = "(… stands for what is the same or left out: -v shows all)"


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

    Of a long value only the part that differs is shown. `verbose` shows every value whole, and the attributes
    of what will be made as well.
    """
    lines = tuple(line for each in changes for line in _lines(each, verbose))
    if verbose or not any(map(_is_shortened, changes)):
        return lines
    return (*lines, Line(_CUT_NOTE, Mark.DIM))


def plan_lines(
    changes: Sequence[Change],
    mark: Mark = Mark.HEAD,
    *,
    verbose: bool = False,
    consequences: Iterable[Consequence] = (),
) -> tuple[Line, ...]:
    """As `as_lines`, with the summary and then the consequences as the last lines."""
    return (
        *as_lines(changes, verbose=verbose),
        Line(summary(changes), mark),
        *consequence_lines(consequences),
    )


def consequence_lines(consequences: Iterable[Consequence]) -> tuple[Line, ...]:
    """The consequences for a person, a line each."""
    return tuple(Line(f"! {each.text}", Mark.WARN) for each in consequences)


def consequences_json(consequences: Iterable[Consequence]) -> list[dict[str, str | None]]:
    """The same for `--json`; `flag` is the option that agrees to it, null where none is asked."""
    return [{"code": each.code, "message": each.text, "flag": each.flag or None} for each in consequences]


def _lines(change: Change, verbose: bool) -> list[Line]:
    sign, mark = _SIGNS[change.action]
    kind, name, fields = _described(change, None if verbose else _SHOWN)
    head = f"{sign} {kind} {name}"
    if change.action != "update":
        shown = fields if verbose else ()
        return [Line(head, mark), *(Line(f"    {each.name} {each.after}", mark) for each in shown)]
    if kind == "release":
        # What differs is only that it was deployed last.
        return [Line(f"{head}  is the current release again", mark)]
    texts = [f"{each.name} {each.before or '(none)'} → {each.after or '(none)'}" for each in fields]
    first, *more = texts
    return [Line(f"{head}  {first}", mark), *(Line(f"    {each}", mark) for each in more)]


def _described(change: Change, width: int | None = None) -> tuple[str, str, tuple[Field, ...]]:
    """The kind and name of the resource, and its attributes before and after; of values longer than `width`
    only the part that differs."""
    from nwchatctl.deploy.changes import changed_key, fields, shortened_fields

    kind, name = changed_key(change)
    return kind, name, fields(change) if width is None else shortened_fields(change, width)


def _is_shortened(change: Change) -> bool:
    return change.action == "update" and _described(change) != _described(change, _SHOWN)


def summary(changes: Sequence[Change]) -> str:
    """`3 to create, 1 to update`, or that there is nothing to do."""
    counts = [(verb, sum(each.action == verb for each in changes)) for verb in ("create", "update", "delete")]
    text = ", ".join(f"{count} to {verb}" for verb, count in counts if count)
    return text or "nothing to do: the chat is as configured"
