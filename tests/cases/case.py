"""One reported kind of fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One reported kind of fault. `area` groups cases; `right` is what the tool does."""

    area: str
    right: str
    tests: tuple[str, ...] = ()
    reason: str = ""
