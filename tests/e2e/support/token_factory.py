"""Valid and invalid tokens, made with the standard library only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.support.chat import SECONDS, Player


def part(value: bytes | str | Any) -> str:
    """One part of a token: bytes or text as they are, anything else as JSON; in base64url without padding."""
    raw = value if isinstance(value, bytes) else value if isinstance(value, str) else json.dumps(value)
    data = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(**changed: Any) -> dict[str, Any]:
    """Valid claims with changes. A claim that is None is left out."""
    good: dict[str, Any] = {"sub": "128274", "name": "tchalvak", "exp": int(time.time()) + 300}
    return {name: value for name, value in (good | changed).items() if value is not None}


def token(key: str, payload: Any = None, *, header: Any = None, hashed: Any = hashlib.sha256) -> str:
    """A token with `payload` (default: valid claims) and `header`, signed with `key`."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signed = f"{part(head)}.{part(claims() if payload is None else payload)}"
    return f"{signed}.{part(hmac.new(key.encode(), signed.encode(), hashed).digest())}"


@contextmanager
def player(
    url: str,
    query: str | None = None,
    *,
    protocols: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Iterator[Player]:
    """A socket with a token in its URL or among its subprotocols."""
    where = url if query is None else f"{url}?token={quote(query)}"
    with connect(
        where,
        proxy=None,
        open_timeout=SECONDS,
        subprotocols=[Subprotocol(each) for each in protocols] or None,
        additional_headers=dict(headers or {}),
    ) as socket:
        yield Player(socket)


def refused(url: str, query: str | None = None, **options: Any) -> int:
    """The HTTP status of a refused handshake, or 101 if it succeeds."""
    try:
        with player(url, query, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code
