"""The keys that tokens are signed with, as they are kept in a parameter. Pure, and without PyJWT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

KEYS_KEPT = 2
"""The key that signs, and the one that signed before it."""

_MIN_KEY_CHARS = 32
"""RFC 7518, 3.2: a key of HS256 is 256 bits at least."""

_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """`key` signs as it is written here (ASCII); `created_at` is when it was made."""

    kid: str
    key: str = field(repr=False)
    created_at: int


def read_keys(text: str) -> tuple[TokenKey, ...]:
    """The keys that are kept as `text`, the newest first. ValueError where it holds none."""
    try:
        found = json.loads(text)["keys"]
        keys = tuple(TokenKey(each["kid"], each["key"], each["created_at"]) for each in found[:KEYS_KEPT])
    except (ValueError, RecursionError, KeyError, TypeError):
        # From None: what was read is quoted by the error's own context.
        raise ValueError("these are no keys") from None
    if not keys or not all(map(_is_key, keys)):
        raise ValueError("these are no keys")
    return keys


def write_keys(keys: Iterable[TokenKey]) -> str:
    """As `read_keys` reads them; 250 characters of the 4 KB that a parameter may have."""
    return json.dumps({"keys": [asdict(each) for each in keys]}, separators=(",", ":"))


def _is_key(key: TokenKey) -> bool:
    return (
        isinstance(key.kid, str)
        and _KID.fullmatch(key.kid) is not None
        and isinstance(key.key, str)
        and key.key.isascii()
        and len(key.key) >= _MIN_KEY_CHARS
        and type(key.created_at) is int
    )
