"""Token mode: what asks whoever comes in for a token, and in what order a chat begins to ask. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

from nwchatctl.deploy.changes import Change, Update
from nwchatctl.deploy.model.functions import STATEMENT_PREFIX, Alias, Permission, permission_name
from nwchatctl.deploy.model.pairs import Pairs
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.websocket import Authorizer, Route, Stage
from nwchatctl.deploy.naming import Names, Place

Turn: TypeAlias = Literal["begins", "ceases", "stays"]
"""What becomes of a chat's asking for tokens when its stage moves."""

AUTHORIZE = "authorize"
"""The function that is asked, and the authorizer that asks it."""

IDENTITY_SOURCES = ("route.request.header.Host",)
"""What is in every request, because each of these must be, and a token is in one of two places. The header is
spelled as in API Gateway's own example of a handshake ("Control access to WebSocket APIs with AWS Lambda
REQUEST authorizers"). To name none is documented as allowed, but the API's model requires the list."""


def authorizer(uri: str) -> Authorizer:
    """The one authorizer of $connect; `uri` invokes the live alias."""
    return Authorizer(AUTHORIZE, "REQUEST", uri, IDENTITY_SOURCES)


def keys(names: Names, tags: Pairs) -> TokenKeys:
    """The parameter, encrypted with the account's key for Parameter Store."""
    return TokenKeys(names.token_keys, "SecureString", tags)


def permission(function: str, place: Place, api_id: str) -> Permission:
    """By which the API's authorizers, and nothing else, may invoke `function`:live."""
    statement_id = f"{STATEMENT_PREFIX}authorizer"
    return Permission(
        name=permission_name(function, statement_id),
        function=function,
        statement_id=statement_id,
        principal="apigateway.amazonaws.com",
        source_arn=place.arn("execute-api", f"{api_id}/authorizers/*"),
    )


def environment(names: Names) -> dict[str, str]:
    """What functions are told in token mode. Nothing in open mode: chats of before keep their versions."""
    return {"NWCHAT_AUTH_MODE": "token", "NWCHAT_AUTH_PARAMETER": names.token_keys}


def asks(release: Release) -> bool:
    """Whether nobody comes into this release without a token."""
    return any(name.endswith(f"-{AUTHORIZE}") for name, _ in release.functions)


def serves(live: State, stage: str) -> bool:
    """Whether nobody comes in without a token through what `stage` serves.

    Where no release is known of that, as a deploy was killed, the routes that there are now say so.
    """
    known = _asks(live, live.get((Stage.kind, stage)))
    if known is not None:
        return known
    return any(isinstance(each, Route) and each.authorizer for each in live.values())


def turn(wanted: State, live: State) -> Turn:
    """Whether a stage begins or ceases to ask for tokens from `live` to `wanted`.

    Where it is not known what it serves now, it is taken to be the other thing: that order does no harm.
    """
    known = {**live, **wanted}
    for where, want in wanted.items():
        have = live.get(where)
        if isinstance(want, Stage) and isinstance(have, Stage) and want.deployment != have.deployment:
            before, after = _asks(known, have), _asks(known, want)
            if before != after:
                return "begins" if after else "ceases"
    return "stays"


def _asks(known: State, front: Resource | None) -> bool | None:
    """Whether what a stage serves asks for tokens, as releases of it tell; None where there is none.

    A deployment's name is a fingerprint of its routes: all releases of it ask, or none does.
    """
    of_it = [
        each
        for each in known.values()
        if isinstance(front, Stage) and isinstance(each, Release) and each.deployment == front.deployment
    ]
    return any(map(asks, of_it)) if of_it else None


def in_turn(
    changes: Mapping[Key, Change], before: Mapping[Key, set[Key]], turns: Turn
) -> dict[Key, set[Key]]:
    """What else has to wait for what, where a chat begins or ceases to ask for tokens.

    The functions refuse whoever was not asked. So they begin to once the stage asks, and cease before it:
    nobody is refused in between. `before` is what each change waits for; an alias that the stage waits
    for stays before it.
    """
    moved = {where for where, each in changes.items() if isinstance(each, Update)}
    stages = {each for each in moved if each[0] == Stage.kind}
    aliases = {each for each in moved if each[0] == Alias.kind}
    match turns:
        case "begins":
            return dict.fromkeys(aliases - _closure(stages, before), stages)
        case "ceases":
            return dict.fromkeys(stages, aliases)
        case "stays":
            return {}
        case _:
            assert_never(turns)


def _closure(keys: set[Key], before: Mapping[Key, set[Key]]) -> set[Key]:
    found: set[Key] = set()
    todo = set(keys)
    while todo:
        where = todo.pop()
        if where not in found:
            found.add(where)
            todo |= before[where]
    return found
