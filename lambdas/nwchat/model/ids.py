"""Ids, table keys and expiry times. Pure: the clock and the randomness are arguments.

`*_ms` are epoch milliseconds; `expires_at` is epoch seconds, as DynamoDB's TTL requires.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from threading import Lock
from typing import Literal, TypeAlias

ROOM = "main"
DEDUP_ID = "-"
CONNECTION_SECONDS = 8100
"""2 h 15 min: API Gateway closes every connection after 2 h, so an older row belongs to a closed one."""
DEDUP_SECONDS = 600
RANDOM_BYTES = 10
MAX_STORE_DELAY_MS = 30_000
"""How long after an id was made its message may begin to be stored; later it needs a new id. Clients rely on
it: they ask for messages after an id that is that much earlier than the last one they have. A function that
has begun to store ends within 29 s (functions.timeout_seconds)."""
LATEST_STORE_MS = 60_000
"""How long after an id was made its message may become readable: what has an older id is complete."""

DedupKind: TypeAlias = Literal["broadcast", "proven", "claimed", "socket"]
"""Whose deduplication key it is: the operator's announcements, players by their token's `sub`, players by the
sender_id that they claim, or sockets. The functions choose it, never a client."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_RANDOM_BITS = RANDOM_BYTES * 8
_MAX_MS = (1 << 48) - 1


def ulid(now_ms: int, randomness: bytes) -> str:
    """A ULID: 26 Crockford characters that sort by time.

    Raises ValueError when the time or the number of bytes is out of range.
    """
    if not 0 <= now_ms <= _MAX_MS:
        raise ValueError(f"not a 48 bit time in ms: {now_ms}")
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"an id needs {RANDOM_BYTES} random bytes, not {len(randomness)}")
    return _encode((now_ms << _RANDOM_BITS) | int.from_bytes(randomness, "big"))


def first_ulid(now_ms: int) -> str:
    """The smallest id of that millisecond, for use as a cursor."""
    return ulid(now_ms, bytes(RANDOM_BYTES))


def is_ulid(text: str) -> bool:
    """Whether `text` is an id in upper case. Ids are compared as text."""
    return _ULID.fullmatch(text) is not None


def ulid_time(text: str) -> int:
    """The epoch milliseconds in an id. Raises ValueError when it is not an id."""
    if not is_ulid(text):
        raise ValueError(f"not an id: {text!r}")
    value = 0
    for letter in text:
        value = value * 32 + _VALUES[letter]
    return value >> _RANDOM_BITS


def _encode(value: int) -> str:
    letters = []
    for _ in range(26):
        value, digit = divmod(value, 32)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))


class UlidGenerator:
    """Generates strictly increasing ids, also within one millisecond and when the clock goes backwards.

    `clock` returns epoch ms, `random_bytes(n)` n bytes. Thread-safe.
    """

    def __init__(self, clock: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._last = -1
        self._lock = Lock()

    def __call__(self) -> str:
        with self._lock:
            candidate = (self._clock() << _RANDOM_BITS) | int.from_bytes(
                self._random_bytes(RANDOM_BYTES), "big"
            )
            if candidate >> _RANDOM_BITS > self._last >> _RANDOM_BITS:
                self._last = candidate
            else:
                self._last += 1
            return _encode(self._last)


def is_late(message_id: str, now_ms: int) -> bool:
    """Whether a message with this id may no longer be stored, because its id was made too long ago."""
    return now_ms - ulid_time(message_id) > MAX_STORE_DELAY_MS


def said_digest(message: str, uname: str, sender_id: str) -> str:
    """The digest of what was said and under which names; equal digests mean the same message."""
    return _sha256(json.dumps([message, uname, sender_id]))


def dedup_room(kind: DedupKind, key: str, owner: str = "", digest: str = "") -> str:
    """Partition key of the deduplication row of `key`.

    `owner` is whose key it is, and `digest` what was said under it (`said_digest`); announcements have
    neither. Announcements are keyed as in earlier releases, so that their rows are found. Players' keys are
    lists in JSON, so that no owner, key or text leads to the row of an announcement or of another owner.
    """
    return "sent#" + _sha256(
        f"{kind}\0{key}" if kind == "broadcast" else json.dumps([kind, owner, key, digest])
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def connection_expiry(connected_at_ms: int) -> int:
    """When a connection's row expires, in epoch seconds."""
    return connected_at_ms // 1000 + CONNECTION_SECONDS


def message_expiry(date_ms: int, retention_days: int) -> int:
    """When a message's row expires, in epoch seconds."""
    return date_ms // 1000 + retention_days * 86_400


def is_expired(expires_at: int | None, now_ms: int) -> bool:
    """Whether `expires_at` has passed; a row without one never expires.

    TTL deletes rows within about two days, so readers must filter.
    """
    return expires_at is not None and expires_at <= now_ms // 1000
