"""Lambda authorizer of $connect in token mode: allows clients with a valid token.

API Gateway invokes it before the connect function and passes the returned context to all later events of the
connection. Authorizer results of WebSocket APIs are not cached. A refused client gets a Deny policy (HTTP
403) without a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from nwchat import cold_start, runtime
from nwchat.auth.tokens import TokenAccepted, TokenRefused, handshake_token, verify_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nwchat.auth.token_keys import TokenKey
    from nwchat.log import Log
    from nwchat.runtime import Event, Response

_PLAIN = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What `quote` leaves as it is besides letters, digits and `_.-~`: all of printable ASCII except `%`."""


def handler(event: Event, context: object) -> Response:
    """Lambda handler. Returns a Deny policy when an error occurs."""
    log = runtime.log_for(event, context)
    try:
        max_chars = runtime.config().limits.max_uname_chars
        return authorize(event, runtime.keys(), runtime.now_ms() / 1000, max_chars, log)
    except Exception as error:
        # Only the type is logged: the error's text might contain the token.
        log.error("authorize failed", extra={"error": type(error).__name__})
        return _policy("Deny", _arn(event) or "*", "nobody")


def authorize(
    event: Event, keys: Callable[[], Sequence[TokenKey]], now: float, max_uname_chars: int, log: Log
) -> Response:
    """Return a policy that allows the token's owner to invoke exactly this stage, or a Deny policy.

    `now` is epoch seconds. `keys` is called only for a well-formed token.
    """
    arn = _arn(event)
    result = _verify(event, keys, now, max_uname_chars)
    if isinstance(result, TokenRefused) or not arn:
        log.warning(
            "refused", extra={"reason": result.reason if isinstance(result, TokenRefused) else "no_arn"}
        )
        return _policy("Deny", arn or "*", "nobody")
    identity = result.identity
    return {**_policy("Allow", arn, ascii_principal(identity.sender_id)), "context": identity.as_context()}


def _verify(
    event: Event, keys: Callable[[], Sequence[TokenKey]], now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    token = handshake_token(event)
    return token if isinstance(token, TokenRefused) else verify_with(keys, token, now, max_uname_chars)


def _arn(event: Event) -> str:
    return str(event.get("methodArn") or "")


def ascii_principal(sender_id: str) -> str:
    """The principal id of a player, in ASCII: API Gateway refuses others. Its percent signs and all other
    characters than printable ASCII are percent-encoded, so that no two players have the same.

    The functions take the identity from the context, and API Gateway shows the principal in its logs only.
    """
    return quote(sender_id, safe=_PLAIN)


def _policy(effect: str, arn: str, principal: str) -> Response:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


if cold_start.in_init_phase():
    runtime.keys()
