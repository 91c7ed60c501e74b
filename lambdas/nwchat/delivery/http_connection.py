"""One connection of HTTP/1.1 under asyncio, with at most one request on it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from nwchat.delivery import http_response
from nwchat.delivery.scheduler import Call


class ConnectionOwner(Protocol):
    """Who sends on a line, and is told what came of it."""

    def encode(self, call: Call[Any]) -> bytes:
        """The request as it goes over the wire."""

    def answered(self, line: HttpConnection, status: int, body: bytes, keep: bool) -> None:
        """The answer came; the line can be used again if `keep`."""

    def broken(self, line: HttpConnection, reason: str) -> None:
        """No answer will come."""


class HttpConnection(asyncio.Protocol):
    """One connection, with at most one request on it."""

    def __init__(self) -> None:
        self.call: Call[Any] | None = None
        self.closed = False
        self.sent_at = 0.0
        self._run: ConnectionOwner | None = None
        self._wire: asyncio.WriteTransport | None = None
        self._bytes = b""
        self._known: http_response.HttpResponse | None = None
        """What `_bytes` are so far."""
        self._answers = 0

    @property
    def stale(self) -> bool:
        """Whether it had answered before, and has said nothing to its present request."""
        return self._answers > 0 and not self._bytes

    def send(self, call: Call[Any], run: ConnectionOwner) -> None:
        self.call, self._run, self._bytes, self._known = call, run, b"", None
        self.sent_at = call.sent_at
        assert self._wire is not None
        self._wire.write(run.encode(call))

    def drop(self) -> None:
        self.closed = True
        if self._wire is not None:
            self._wire.abort()

    def expired(self, run: ConnectionOwner, reason: str) -> None:
        """The time for an answer is over: what came of it counts, if its headers are whole."""
        known = self._known
        if known is not None:
            self._finish(known.status, known.body, keep=False)
        else:
            self._answers = 0
            run.broken(self, reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.call is None:
            # Nothing was asked.
            self.drop()
            return
        if self._bytes:
            data = self._bytes + data
        try:
            known = http_response.read(data)
        except ValueError as error:
            self._bytes = data
            self._broken(str(error))
            return
        if known is not None and known.whole:
            self._finish(known.status, known.body, known.keep)
            return
        self._bytes, self._known = data, known
        if known is not None and len(data) > http_response.MAX_HEAD + http_response.MAX_BODY:
            self._finish(known.status, known.body, keep=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.call is None:
            return
        known = self._known
        if known is not None and known.enough:
            self._finish(known.status, known.body, keep=False)
        else:
            self._broken(type(exc).__name__ if exc else "connection closed")

    def _finish(self, status: int, body: bytes, keep: bool) -> None:
        self._bytes, self._known = b"", None
        self._answers += 1
        if self._run is not None:
            self._run.answered(self, status, body, keep and not self.closed)

    def _broken(self, reason: str) -> None:
        if self._run is not None:
            self._run.broken(self, reason)
