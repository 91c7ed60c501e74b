"""A client that connects and reads nothing, so that its connection's buffer is full."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import connect

from tests.e2e.support.chat import SECONDS, eventually
from tests.e2e.support.sandbox import Sandbox

_SIZES = (100_000, 10_000, 1_000, 100, 1)
"""Payloads in bytes, so that in the end not even a short message fits."""
_MAX_POSTS = 300
"""More of one size than the socket buffers of any machine hold."""


@dataclass(frozen=True)
class SlowReader:
    """The connection of a client that does not read, with root's client for @connections."""

    connection_id: str
    connections: Any

    def is_open(self) -> bool:
        try:
            self.connections.get_connection(ConnectionId=self.connection_id)
        except self.connections.exceptions.GoneException:
            return False
        return True

    def fill(self) -> Any:
        """Posts until the buffer is full; the error of the last post."""
        return [self._fill(b"x" * size) for size in _SIZES][-1]

    def _fill(self, payload: bytes) -> Any:
        for _ in range(_MAX_POSTS):
            try:
                self.connections.post_to_connection(ConnectionId=self.connection_id, Data=payload)
            except self.connections.exceptions.LimitExceededException as error:
                return error
        raise AssertionError("the buffer never becomes full")


@contextmanager
def slow_reader(
    sandbox: Sandbox, url: str, connection_ids: Callable[[], Iterable[str]]
) -> Iterator[SlowReader]:
    """A connection to `url` with a full buffer. `connection_ids` returns those of the open connections."""
    before = set(connection_ids())
    address = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    # The library reads until its queue is full, and then no more.
    options: dict[str, Any] = {"max_queue": 1, "max_size": None, "close_timeout": 0.1, "ping_interval": None}
    with connect(url, sock=client, proxy=None, open_timeout=SECONDS, **options):
        eventually(lambda: len(set(connection_ids()) - before), 1)
        (connection_id,) = set(connection_ids()) - before
        stage = f"http://{address.netloc}{address.path}"
        reader = SlowReader(connection_id, sandbox.client("apigatewaymanagementapi", root=True, url=stage))
        reader.fill()
        yield reader
