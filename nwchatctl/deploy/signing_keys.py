"""Token signing keys: creation, rotation, and which keys are still valid. Pure. Times are epoch seconds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from nwchat.auth.token_keys import KEYS_KEPT, TokenKey

MAX_TOKEN_SECONDS = 86_400
"""The recommended maximum lifetime of a token (docs/tokens.md): it is needed only to connect, and a
connection ends after 2 hours."""

_KEY_BYTES, _KID_BYTES = 32, 6


def new_key(now: int, random_bytes: Callable[[int], bytes]) -> TokenKey:
    """A key of 256 bits; `random_bytes(n)` returns n cryptographically random bytes."""
    return TokenKey(_text(random_bytes(_KID_BYTES)), _text(random_bytes(_KEY_BYTES)), now)


def rotate(keys: Sequence[TokenKey], new: TokenKey) -> tuple[TokenKey, ...]:
    """The keys after a rotation: `new` signs, the previous key is still valid, older ones are not."""
    return (new, *keys)[:KEYS_KEPT]


def dropped_keys(keys: Sequence[TokenKey]) -> tuple[TokenKey, ...]:
    """The keys that a rotation invalidates."""
    return tuple(keys[KEYS_KEPT - 1 :])


def drops_tokens(keys: Sequence[TokenKey], now: int) -> bool:
    """Whether a rotation may invalidate tokens that have not expired.

    The keys that it drops have signed none since the newest key was created.
    """
    return bool(dropped_keys(keys)) and now - keys[0].created_at < MAX_TOKEN_SECONDS


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode().rstrip("=")
