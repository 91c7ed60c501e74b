"""Which requests may have changed the emulator's state. Pure; unsure means yes, which costs one more save."""

from __future__ import annotations

from collections.abc import Iterable

_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READ_VERBS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "List", "Describe", "Filter", "Lookup")


def may_write(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """False for what is a read for certain: a REST read, a read by X-Amz-Target, a frame to a connection.

    `headers` are ASGI's: lower-case names. The query protocol (IAM, STS) names its action in the body, which
    isn't read here, so each of those counts as a write.
    """
    if method in _READ_METHODS or "/@connections/" in path:
        return False
    target = next((value for name, value in headers if name == b"x-amz-target"), b"")
    return not target.decode("latin-1").rpartition(".")[2].startswith(_READ_VERBS)
