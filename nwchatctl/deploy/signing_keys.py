"""Which keys sign tokens, and which ones still count. Pure. Times are epoch seconds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from nwchat.auth.token_keys import KEYS_KEPT, TokenKey

MAX_TOKEN_SECONDS = 86_400
"""For so long a token should be good at most (docs/tokens.md): it is for coming in, and a socket ends after
2 hours."""

_KEY_BYTES, _KID_BYTES = 32, 6


def new_key(now: int, random_bytes: Callable[[int], bytes]) -> TokenKey:
    """A key of 256 bits; `random_bytes(n)` gives n bytes fit for a secret."""
    return TokenKey(_text(random_bytes(_KID_BYTES)), _text(random_bytes(_KEY_BYTES)), now)


def rotate(keys: Sequence[TokenKey], new: TokenKey) -> tuple[TokenKey, ...]:
    """`new` signs from now on, the former one still counts, and older ones do not."""
    return (new, *keys)[:KEYS_KEPT]


def dropped_keys(keys: Sequence[TokenKey]) -> tuple[TokenKey, ...]:
    """Those that would not count any more after one rotation."""
    return tuple(keys[KEYS_KEPT - 1 :])


def drops_tokens(keys: Sequence[TokenKey], now: int) -> bool:
    """Whether tokens may still be good that a key signed which a rotation drops.

    It has not signed any since the newest key was made.
    """
    return bool(dropped_keys(keys)) and now - keys[0].created_at < MAX_TOKEN_SECONDS


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode().rstrip("=")
