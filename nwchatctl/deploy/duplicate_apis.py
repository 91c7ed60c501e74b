"""Which of several APIs of one kind with one chat's tags is the chat's.

CreateApi makes another API each time it is sent. When its answer is lost, or a deploy is killed in that
moment, one may be left that nothing was put into yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nwchatctl.errors import ChatError


@dataclass(frozen=True, slots=True)
class ApiCandidate:
    """An API that carries the chat's tags. `named`: it bears the display name that we give.

    `bare`: there is no route, no integration and no stage in it.
    """

    id: str
    named: bool
    bare: bool


def chosen(candidates: Sequence[ApiCandidate]) -> str | None:
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


def own(found: Mapping[str, str], name: str, bare: Callable[[str], bool], chat: str) -> str:
    """The id of the chat's own API among `found`, which maps ids to display names, oldest first; "" for none.

    `name` is the display name that we give, `bare` is asked about each where there are several. Raises
    ChatError `api_ambiguous`.
    """
    if len(found) <= 1:
        return next(iter(found), "")
    named = {api_id for api_id, shown in found.items() if shown == name}
    # Of two that bear other names neither is a leftover.
    chosen_id = None
    if len(found) - len(named) <= 1:
        chosen_id = chosen([ApiCandidate(each, each in named, bare(each)) for each in found])
    if chosen_id is None:
        raise ChatError(
            f"{len(found)} APIs carry the tags of chat {chat}: {', '.join(found)}",
            hint="delete the one that no client uses: aws apigatewayv2 delete-api --api-id ID",
            code="api_ambiguous",
        )
    return chosen_id
