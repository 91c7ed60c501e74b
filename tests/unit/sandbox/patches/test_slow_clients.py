"""The bounded buffer of a connection. That DELETE closes a client that does not read is tested in e2e."""

from __future__ import annotations

import asyncio

import pytest

from nwchatctl.sandbox.patches import slow_clients
from nwchatctl.sandbox.patches.slow_clients import BUFFER_BYTES


def outbox(*texts: str | None) -> dict[str, asyncio.Queue[str | None]]:
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    for text in texts:
        queue.put_nowait(text)
    return {"outbox": queue}


@pytest.mark.parametrize(
    ("waiting", "body", "full"),
    [
        ((), b"x" * BUFFER_BYTES, False),
        (("x",), b"x" * BUFFER_BYTES, True),
        (("x" * (BUFFER_BYTES - 1),), b"x", False),
        (("x" * BUFFER_BYTES,), b"x", True),
        (("é" * (BUFFER_BYTES // 2),), b"x", True),
        ((None,), b"x", False),
    ],
)
def test_a_buffer_is_full_by_its_bytes(waiting: tuple[str | None, ...], body: bytes, full: bool) -> None:
    assert slow_clients.is_full(outbox(*waiting), body) is full


def test_each_connection_knows_its_stream() -> None:
    connections = slow_clients.Connections()
    record: dict[str, object] = {"apiId": "a"}
    connections["id"] = record
    assert connections["id"] is record
    assert record["writer"] is None, "outside of a connection there is none"
