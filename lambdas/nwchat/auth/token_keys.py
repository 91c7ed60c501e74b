"""The signing keys of tokens, as they are stored in an SSM parameter. Pure, and without PyJWT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from nwchat.values import asdict, dataclass

KEYS_KEPT = 2
"""The current signing key and the previous one."""

_MIN_KEY_CHARS = 32
"""RFC 7518, 3.2: a key of HS256 has at least 256 bits."""

_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A signing key. `key` is used as its ASCII bytes; `created_at` is epoch seconds."""

    kid: str
    key: str
    created_at: int

    def __repr__(self) -> str:
        return f"TokenKey(kid={self.kid!r}, created_at={self.created_at!r})"


def read_keys(text: str) -> tuple[TokenKey, ...]:
    """Parse the stored keys, newest first. Raises ValueError when `text` holds none."""
    try:
        found = json.loads(text)["keys"]
        keys = tuple(TokenKey(each["kid"], each["key"], each["created_at"]) for each in found[:KEYS_KEPT])
    except (ValueError, RecursionError, KeyError, TypeError):
        # `from None`: the context of the error would quote the secret.
        raise ValueError("these are no keys") from None
    if not keys or not all(map(_is_key, keys)):
        raise ValueError("these are no keys")
    return keys


def write_keys(keys: Iterable[TokenKey]) -> str:
    """Encode keys for `read_keys`: about 250 characters of the 4 KB that a parameter may have."""
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
