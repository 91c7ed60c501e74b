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
    """An API that carries the chat's tags. `has_own_name`: it bears the display name that we give.

    `is_empty`: there is no route, no integration and no stage in it.
    """

    id: str
    has_own_name: bool
    is_empty: bool


def choose(candidates: Sequence[ApiCandidate]) -> str | None:
    """The id of the chat's own API, where all others are leftovers; None where nobody can tell.

    The one that is in use; where none is, the first: `candidates` come oldest first. A leftover is bare
    and bears our name: any other was made by somebody, for something.

    >>> chosen([Candidate("old", True, True), Candidate("used", False, False)])
    'used'
    >>> chosen([Candidate("a", False, True), Candidate("b", True, True)]) is None
    True
    """
    used = [each for each in candidates if not each.is_empty]
    empty = [each for each in candidates if each.is_empty]
    if len(used) > 1 or not all(each.has_own_name for each in empty):
        return None
    return (used or empty)[0].id


def own_api_id(found: Mapping[str, str], name: str, is_empty: Callable[[str], bool], chat: str) -> str:
    """The id of the chat's own API among `found`, which maps ids to display names, oldest first; "" for none.

    `name` is the display name that we give, `is_empty` is asked about each where there are several. Raises
    ChatError `api_ambiguous`.
    """
    if len(found) <= 1:
        return next(iter(found), "")
    own_names = {api_id for api_id, shown in found.items() if shown == name}
    # Of two that bear other names neither is a leftover.
    chosen_id = None
    if len(found) - len(own_names) <= 1:
        chosen_id = choose([ApiCandidate(each, each in own_names, is_empty(each)) for each in found])
    if chosen_id is None:
        raise ChatError(
            f"{len(found)} APIs carry the tags of chat {chat}: {', '.join(found)}",
            hint="delete the one that no client uses: aws apigatewayv2 delete-api --api-id ID",
            code="api_ambiguous",
        )
    return chosen_id
