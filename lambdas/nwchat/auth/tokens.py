"""Tokens: extracting them from requests, verifying and creating them. Pure; uses PyJWT.

A token is a JWT signed with HS256 (docs/tokens.md). Times are epoch seconds. Only functions that authenticate
clients import this module: the others start without PyJWT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import jwt

from nwchat.auth.token_keys import TokenKey
from nwchat.model.bans import normalized_name
from nwchat.model.identity import Identity
from nwchat.model.limits import MAX_SENDER_ID_CHARS, clean_name
from nwchat.model.subprotocol import SUBPROTOCOL, offered_subprotocols
from nwchat.values import dataclass

ALGORITHM = "HS256"

MAX_TOKEN_CHARS = 4096
"""Longer tokens are refused unread. All headers of a request have at most 10,240 bytes (API Gateway
quotas)."""

MAX_ROLE_CHARS = 40

LEEWAY_SECONDS = 10
"""How far the issuer's clock may be ahead (`nbf`, `iat`). A token expires exactly at its `exp`."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_MAX_TIME = 253_402_300_799
"""The end of the year 9999. A later time is probably in milliseconds, and such a token would never expire."""


Reason: TypeAlias = Literal[
    "missing",
    "several",
    "too_long",
    "malformed",
    "algorithm",
    "unknown_key",
    "no_keys",
    "signature",
    "claims",
    "expired",
    "not_yet_valid",
]


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """A token that was not accepted. `reason` is a code for the log (docs/tokens.md); clients do not get it.

    `claims` are set when the signature is valid.
    """

    reason: Reason
    claims: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TokenAccepted:
    """A valid token: its owner, expiry time, signing key id and all claims."""

    identity: Identity
    expires_at: int | float
    kid: str
    claims: Mapping[str, Any]


# Extraction -------------------------------------------------------------------------------------


def handshake_token(event: Mapping[str, Any]) -> str | TokenRefused:
    """The token of a $connect event: `?token=`, or a second subprotocol beside `nwchat`.

    Both may be given when they are equal. Several tokens of one kind are refused, because different readers
    could select different ones.
    """
    from_query = _query_token(event)
    from_subprotocol = _subprotocol_token(event)
    for each in (from_query, from_subprotocol):
        if isinstance(each, TokenRefused):
            return each
    if from_query and from_subprotocol and from_query != from_subprotocol:
        return TokenRefused("several")
    return from_query or from_subprotocol or TokenRefused("missing")


def bearer_token(headers: Mapping[str, Any] | None) -> str | TokenRefused:
    """The token of an HTTP request: `Authorization: Bearer …`."""
    values = [str(value) for name, value in (headers or {}).items() if str(name).lower() == "authorization"]
    if len(values) > 1:
        return TokenRefused("several")
    scheme, _, token = (values or [""])[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return TokenRefused("missing")
    return token.strip()


def _query_token(event: Mapping[str, Any]) -> str | TokenRefused:
    multi_value = event.get("multiValueQueryStringParameters")
    if isinstance(multi_value, Mapping) and "token" in multi_value:
        values = multi_value["token"]
        tokens = [str(each) for each in values] if isinstance(values, list) else [str(values)]
    else:
        single = event.get("queryStringParameters")
        tokens = [str(single["token"])] if isinstance(single, Mapping) and "token" in single else []
    return TokenRefused("several") if len(tokens) > 1 else (tokens or [""])[0]


def _subprotocol_token(event: Mapping[str, Any]) -> str | TokenRefused:
    offered = offered_subprotocols(event)
    others = [each for each in offered if each != SUBPROTOCOL]
    if len(others) > 1:
        return TokenRefused("several")
    # Without `nwchat` among the offers there is no subprotocol to select, and a browser would close the
    # connection.
    return others[0] if others and SUBPROTOCOL in offered else ""


# Verification -----------------------------------------------------------------------------------


def verify_with(
    keys: Callable[[], Sequence[TokenKey]], token: str, now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    """Verify `token`, calling `keys` only when it is well-formed."""
    return format_error(token) or verify(token, keys(), now, max_uname_chars)


def format_error(token: str) -> TokenRefused | None:
    """Why `token` is refused whatever the keys are; None when its signature must be checked."""
    header = _header(token)
    return header if isinstance(header, TokenRefused) else None


def verify(
    token: str, keys: Sequence[TokenKey], now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    """Verify that one of `keys` signed `token` and that it is valid at `now`. Never raises.

    `aud` and `iss` are not checked: the keys belong to this chat alone.
    """
    header = _header(token)
    if isinstance(header, TokenRefused):
        return header
    usable = [each for each in keys if "kid" not in header or each.kid == header["kid"]]
    if not usable:
        return TokenRefused("unknown_key" if keys else "no_keys")
    for key in usable:
        claims = _claims(token, key)
        if not isinstance(claims, TokenRefused):
            return _check_claims(claims, key.kid, now, max_uname_chars)
        if claims.reason != "signature":
            return claims
    return TokenRefused("signature")


def _header(token: str) -> Mapping[str, Any] | TokenRefused:
    if len(token) > MAX_TOKEN_CHARS:
        return TokenRefused("too_long")
    if not _COMPACT.fullmatch(token):
        return TokenRefused("malformed")
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return TokenRefused("malformed")
    if header.get("alg") != ALGORITHM:
        return TokenRefused("algorithm")
    if "crit" in header or header.get("b64", True) is not True:
        # RFC 7515, 4.1.11: a token with a critical extension that is not supported is invalid.
        return TokenRefused("malformed")
    return header


_SIGNATURE_ONLY: Any = {
    # `_check_claims` compares the times, with the caller's clock.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _claims(token: str, key: TokenKey) -> Mapping[str, Any] | TokenRefused:
    try:
        return jwt.decode(token, key.key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
    except jwt.InvalidSignatureError:
        return TokenRefused("signature")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return TokenRefused("malformed")


def _check_claims(
    claims: Mapping[str, Any], kid: str, now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if "exp" not in times or not all(map(_is_time, times.values())):
        return TokenRefused("claims", claims)
    sender_id, name, role = claims.get("sub"), claims.get("name"), claims.get("role")
    if not _is_sender_id(sender_id) or not isinstance(name, str | None) or not isinstance(role, str | None):
        return TokenRefused("claims", claims)
    if times["exp"] <= now:
        return TokenRefused("expired", claims)
    if max(times.get("nbf", 0), times.get("iat", 0)) > now + LEEWAY_SECONDS:
        return TokenRefused("not_yet_valid", claims)
    identity = Identity(
        sender_id=str(sender_id),
        uname=clean_name(name or "", max_uname_chars) or clean_name(str(sender_id), max_uname_chars),
        role=clean_name(role or "", MAX_ROLE_CHARS),
    )
    return TokenAccepted(identity, times["exp"], kid, claims)


def _is_time(value: object) -> bool:
    # NaN fails the comparison; bool is a subclass of int.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME


def _is_sender_id(value: object) -> bool:
    """Whether `value` is unchanged by cleaning and has a visible character.

    A cleaned or cut id could be equal to another player's, and an invisible one could not be banned.
    """
    return (
        isinstance(value, str)
        and clean_name(value, MAX_SENDER_ID_CHARS) == value
        and bool(normalized_name(value))
    )


# Creation ---------------------------------------------------------------------------------------


def create_token(identity: Identity, key: TokenKey, issued_at: int, seconds: int) -> str:
    """Create a token for `identity` that is valid for `seconds`.

    Raises ValueError for a sender_id that no token may contain.
    """
    if not _is_sender_id(identity.sender_id):
        raise ValueError(
            f"an id is 1 to {MAX_SENDER_ID_CHARS} characters with something to see, without control "
            "characters and line breaks, and without spaces at its ends"
        )
    claims: dict[str, Any] = {"sub": identity.sender_id, "iat": issued_at, "exp": issued_at + seconds}
    claims |= {name: text for name, text in (("name", identity.uname), ("role", identity.role)) if text}
    return jwt.encode(claims, key.key, algorithm=ALGORITHM, headers={"kid": key.kid})
