"""Token mode: the authorizer, its permission and the token keys. Pure."""

from __future__ import annotations

from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import STATEMENT_PREFIX, Permission, permission_name
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.model.string_map import StringMap
from nwchatctl.deploy.model.websocket import Authorizer
from nwchatctl.deploy.names import ResourceNames

AUTHORIZE = "authorize"
"""The name of the authorizer function and of the authorizer."""

AUTH_VARIABLES = ("NWCHAT_AUTH_MODE", "NWCHAT_AUTH_PARAMETER")
"""The functions' variables of token mode: the mode, and the name of the parameter with the keys. None of them
is set in open mode, so that existing chats keep their versions."""

IDENTITY_SOURCES = ("route.request.header.Host",)
"""A header that every request has: each identity source is required, and a token is in one of two places. The
header is spelled as in API Gateway's own example of a handshake ("Control access to WebSocket APIs with AWS
Lambda REQUEST authorizers"). An empty list is documented as allowed, but the API's model requires one."""


def authorizer(uri: str) -> Authorizer:
    """The authorizer of $connect; `uri` invokes the live alias."""
    return Authorizer(AUTHORIZE, "REQUEST", uri, IDENTITY_SOURCES)


def keys(names: ResourceNames, tags: StringMap) -> TokenKeys:
    """The parameter, encrypted with the account's key for Parameter Store."""
    return TokenKeys(names.token_keys, "SecureString", tags)


def permission(function: str, location: Location, api_id: str) -> Permission:
    """The permission for the API's authorizers, and nothing else, to invoke `function`:live."""
    statement_id = f"{STATEMENT_PREFIX}authorizer"
    return Permission(
        name=permission_name(function, statement_id),
        function=function,
        statement_id=statement_id,
        principal="apigateway.amazonaws.com",
        source_arn=location.arn("execute-api", f"{api_id}/authorizers/*"),
    )
