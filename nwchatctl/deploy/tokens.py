"""Token mode: what asks whoever comes in for a token, and in what order a chat begins to ask. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nwchatctl.deploy.changes import Change, Create, Delete, Update
from nwchatctl.deploy.model.functions import STATEMENT_PREFIX, Alias, Permission, permission_name
from nwchatctl.deploy.model.pairs import Pairs
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, State
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.websocket import Authorizer, Route, Stage
from nwchatctl.deploy.naming import Names, Place

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


def asking(live: State) -> bool:
    """Whether the live chat's $connect asks for a token, served already or not."""
    return any(isinstance(each, Route) and each.authorizer for each in live.values())


def in_turn(changes: Mapping[Key, Change], before: Mapping[Key, set[Key]]) -> dict[Key, set[Key]]:
    """What else has to wait for what, where a chat begins or ceases to ask for tokens.

    The functions refuse whoever was not asked. So they begin to once the stage asks, and cease before it:
    nobody is refused in between. `before` is what each change waits for; an alias that the stage waits
    for stays before it.
    """
    begins = any(isinstance(each, Create) and isinstance(each.after, Authorizer) for each in changes.values())
    ceases = any(
        isinstance(each, Delete) and isinstance(each.before, Authorizer) for each in changes.values()
    )
    moved = {where for where, each in changes.items() if isinstance(each, Update)}
    stages = {each for each in moved if each[0] == Stage.kind}
    aliases = {each for each in moved if each[0] == Alias.kind}
    if begins:
        return dict.fromkeys(aliases - _closure(stages, before), stages)
    return dict.fromkeys(stages, aliases) if ceases else {}


def _closure(keys: set[Key], before: Mapping[Key, set[Key]]) -> set[Key]:
    found: set[Key] = set()
    todo = set(keys)
    while todo:
        where = todo.pop()
        if where not in found:
            found.add(where)
            todo |= before[where]
    return found
