"""Tokens: where a request carries one, whether it is good, and how one is made. Pure; on PyJWT.

A token is a JWT signed with HS256 (docs/tokens.md). Times are epoch seconds. Only the functions that let
people in import this module: the others start without PyJWT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jwt

from nwchat.auth.token_keys import TokenKey
from nwchat.model.bans import normalized_name
from nwchat.model.identity import Identity
from nwchat.model.limits import MAX_SENDER_ID_CHARS, clean_name
from nwchat.model.subprotocol import SUBPROTOCOL, offered_subprotocols

ALGORITHM = "HS256"

MAX_TOKEN_CHARS = 4096
"""Longer ones are not looked at. All of a request's headers are 10,240 bytes at most (API Gateway quotas)."""

MAX_ROLE_CHARS = 40

LEEWAY_SECONDS = 10
"""How far the signer's clock may be ahead of ours (`nbf`, `iat`); a token ends at its `exp` exactly."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_MAX_TIME = 253_402_300_799
"""The end of the year 9999. A time after it is one in milliseconds, and a token with it would never end."""


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
    """Why nobody comes in: a code for the log (docs/tokens.md lists them). Clients are not told.

    `claims` are what a token says that one of our keys did sign.
    """

    reason: Reason
    claims: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TokenAccepted:
    """A token that holds: whose it is, when it ends, the key that signed it, and all that it says."""

    identity: Identity
    expires_at: int | float
    kid: str
    claims: Mapping[str, Any]


# Where a token is --------------------------------------------------------------------------------


def handshake_token(event: Mapping[str, Any]) -> str | TokenRefused:
    """The token of a $connect event: `?token=`, or a second subprotocol beside `nwchat`; nowhere else.

    Both may be given when they are the same. More than one of a kind is refused: which of them counts would
    be for whoever reads them first to say.
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
    """The token of an HTTP request: `Authorization: Bearer …`, and nowhere else."""
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
    # Without ours among them there is none that we could answer, and a browser would close the socket.
    return others[0] if others and SUBPROTOCOL in offered else ""


# Whether it is good ------------------------------------------------------------------------------


def verify_with(
    keys: Callable[[], Sequence[TokenKey]], token: str, now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    """As `verify`, but what can be no token asks for no `keys`."""
    return misshapen(token) or verify(token, keys(), now, max_uname_chars)


def misshapen(token: str) -> TokenRefused | None:
    """Why `token` is refused whatever the keys are; None where they have to tell."""
    header = _header(token)
    return header if isinstance(header, TokenRefused) else None


def verify(
    token: str, keys: Sequence[TokenKey], now: float, max_uname_chars: int
) -> TokenAccepted | TokenRefused:
    """Whether `token` was signed by one of `keys` and holds at `now`. Raises nothing, whatever it is.

    `aud` and `iss` say nothing here: the keys are this chat's own.
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
        # RFC 7515, 4.1.11: what must be understood, and is not, makes a token invalid.
        return TokenRefused("malformed")
    return header


_SIGNATURE_ONLY: Any = {
    # Times are compared by `_judged`, with the clock that it is given.
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
    # NaN is in no order with anything, so that it fails here; True is a number to Python.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME


def _is_sender_id(value: object) -> bool:
    """Whether it is what cleaning leaves of it, as cut or cleaned two players could become one, and has
    something to see, as nobody else can be banned."""
    return (
        isinstance(value, str)
        and clean_name(value, MAX_SENDER_ID_CHARS) == value
        and bool(normalized_name(value))
    )


# How one is made ---------------------------------------------------------------------------------


def create_token(identity: Identity, key: TokenKey, issued_at: int, seconds: int) -> str:
    """A token of `identity` that holds for `seconds`. ValueError for a sender_id that no token may have."""
    if not _is_sender_id(identity.sender_id):
        raise ValueError(
            f"an id is 1 to {MAX_SENDER_ID_CHARS} characters with something to see, without control "
            "characters and line breaks, and without spaces at its ends"
        )
    claims: dict[str, Any] = {"sub": identity.sender_id, "iat": issued_at, "exp": issued_at + seconds}
    claims |= {name: text for name, text in (("name", identity.uname), ("role", identity.role)) if text}
    return jwt.encode(claims, key.key, algorithm=ALGORITHM, headers={"kid": key.kid})
