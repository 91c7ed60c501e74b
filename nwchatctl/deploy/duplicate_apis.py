"""Finds the chat's own API among several of one protocol with the chat's tags.

Each CreateApi creates another API. If its response is lost, or a deploy is killed at that moment, an empty
duplicate may remain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nwchatctl.errors import ChatError


@dataclass(frozen=True, slots=True)
class ApiCandidate:
    """An API with the chat's tags. `has_own_name`: its display name is the one that the tool gives.

    `is_empty`: it has no route, no integration and no stage.
    """

    id: str
    has_own_name: bool
    is_empty: bool


def choose(candidates: Sequence[ApiCandidate]) -> str | None:
    """The id of the chat's own API if all others are duplicates; None if that cannot be determined.

    It is the one that is not empty, else the first: `candidates` are sorted oldest first. A duplicate is
    empty and has the tool's name; any other API was created for a purpose.

    >>> choose([ApiCandidate("old", True, True), ApiCandidate("used", False, False)])
    'used'
    >>> choose([ApiCandidate("a", False, True), ApiCandidate("b", True, True)]) is None
    True
    """
    used = [each for each in candidates if not each.is_empty]
    empty = [each for each in candidates if each.is_empty]
    if len(used) > 1 or not all(each.has_own_name for each in empty):
        return None
    return (used or empty)[0].id


def own_api_id(found: Mapping[str, str], name: str, is_empty: Callable[[str], bool], chat: str) -> str:
    """The id of the chat's own API among `found` (display names by id, oldest first); "" if there is none.

    `name` is the display name that the tool gives; `is_empty` is called for each API if there are several.
    Raises ChatError `api_ambiguous`.
    """
    if len(found) <= 1:
        return next(iter(found), "")
    own_names = {api_id for api_id, shown in found.items() if shown == name}
    # Two APIs with other names cannot both be duplicates.
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
