"""An HTTP/1.1 connection under asyncio, with at most one request at a time."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from nwchat.aws import http_response
from nwchat.delivery.request import Call


class ConnectionOwner(Protocol):
    """Sends requests on a connection, and is notified of their results."""

    def encode(self, call: Call[Any]) -> bytes:
        """The request as bytes."""

    def on_response(self, connection: HttpConnection, status: int, body: bytes, keep_alive: bool) -> None:
        """The response arrived. The connection can be used again if `keep_alive`."""

    def on_failure(self, connection: HttpConnection, reason: str, *, timed_out: bool = False) -> None:
        """There will be no response; `timed_out`: there was none in time."""


class HttpConnection(asyncio.Protocol):
    """One connection, with at most one request in flight.

    `sent_at` is in the scheduler's seconds, `idle_since` in epoch seconds.
    """

    def __init__(self) -> None:
        self.call: Call[Any] | None = None
        self.closed = False
        self.sent_at = 0.0
        self.idle_since = 0.0
        self._owner: ConnectionOwner | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._response: http_response.HttpResponse | None = None
        """The response parsed from `_received`; None until its headers are complete."""
        self._responses = 0

    @property
    def stale(self) -> bool:
        """Whether a reused connection has received nothing for its current request."""
        return self._responses > 0 and not self._received

    def send(self, call: Call[Any], owner: ConnectionOwner) -> None:
        """Send a request. The connection must be idle."""
        self.call, self._owner, self._received, self._response = call, owner, b"", None
        self.sent_at = call.sent_at
        assert self._transport is not None
        self._transport.write(owner.encode(call))

    def abort(self) -> None:
        """Close the connection at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def time_out(self, owner: ConnectionOwner, reason: str) -> None:
        """End the request after a timeout. A response with complete headers counts."""
        response = self._response
        if response is not None:
            self._finish(response.status, response.body, keep_alive=False)
        else:
            self._responses = 0
            owner.on_failure(self, reason, timed_out=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.call is None:
            # Data without a request: the connection is out of step.
            self.abort()
            return
        if self._received:
            data = self._received + data
        try:
            response = http_response.parse_response(data)
        except ValueError as error:
            self._received = data
            self._fail(str(error))
            return
        if response is not None and response.complete:
            self._finish(response.status, response.body, response.keep_alive)
            return
        self._received, self._response = data, response
        if response is not None and len(data) > http_response.MAX_HEAD_BYTES + http_response.MAX_BODY_BYTES:
            self._finish(response.status, response.body, keep_alive=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.call is None:
            return
        response = self._response
        if response is not None and response.usable:
            self._finish(response.status, response.body, keep_alive=False)
        else:
            self._fail(type(exc).__name__ if exc else "connection closed")

    def _finish(self, status: int, body: bytes, keep_alive: bool) -> None:
        self._received, self._response = b"", None
        self._responses += 1
        if self._owner is not None:
            self._owner.on_response(self, status, body, keep_alive and not self.closed)

    def _fail(self, reason: str) -> None:
        if self._owner is not None:
            self._owner.on_failure(self, reason)
