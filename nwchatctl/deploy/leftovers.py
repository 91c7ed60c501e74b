"""Which of several APIs with one chat's tags is the chat's.

CreateApi makes another API each time it is sent. When its answer is lost, or a deploy is killed in that
moment, one may be left that nothing was put into yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An API that carries the chat's tags. `named`: it bears the display name that we give.

    `bare`: there is no route, no integration and no stage in it.
    """

    id: str
    named: bool
    bare: bool


def chosen(candidates: Sequence[Candidate]) -> str | None:
    """The id of the chat's own API, where all others are leftovers; None where nobody can tell.

    The one that is in use; where none is, the first: `candidates` come oldest first. A leftover is bare
    and bears our name: any other was made by somebody, for something.

    >>> chosen([Candidate("old", True, True), Candidate("used", False, False)])
    'used'
    >>> chosen([Candidate("a", False, True), Candidate("b", True, True)]) is None
    True
    """
    used = [each for each in candidates if not each.bare]
    spare = [each for each in candidates if each.bare]
    if len(used) > 1 or not all(each.named for each in spare):
        return None
    return (used or spare)[0].id
