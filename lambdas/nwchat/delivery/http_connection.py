"""An HTTP/1.1 connection over a socket that does not block, with at most one request at a time."""

from __future__ import annotations

import socket
import ssl
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any, Protocol

from nwchat.aws import http_response
from nwchat.delivery.request import Call

_RECEIVE_BYTES = 64 * 1024
"""More than a TLS record: OpenSSL must keep nothing back that no event tells of."""
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ConnectionOwner(Protocol):
    """Sends requests on a connection, and is notified of their results."""

    def encode(self, call: Call[Any]) -> bytes:
        """The request as bytes."""

    def on_response(self, connection: HttpConnection, status: int, body: bytes, keep_alive: bool) -> None:
        """The response arrived. The connection can be used again if `keep_alive`."""

    def on_failure(self, connection: HttpConnection, reason: str, *, timed_out: bool = False) -> None:
        """There will be no response; `timed_out`: there was none in time."""


class HttpConnection:
    """A connection over `sock`, with at most one request in flight. `selector` tells it of its events.

    `sent_at` is in the scheduler's seconds, `idle_since` in epoch seconds.
    """

    def __init__(self, sock: socket.socket, selector: BaseSelector) -> None:
        self.call: Call[Any] | None = None
        self.closed = False
        self.sent_at = 0.0
        self.idle_since = 0.0
        self._sock = sock
        self._selector = selector
        self._events = EVENT_READ
        self._owner: ConnectionOwner | None = None
        self._unsent = b""
        self._received = b""
        self._response: http_response.HttpResponse | None = None
        """The response parsed from `_received`; None until its headers are complete."""
        self._responses = 0
        selector.register(sock, EVENT_READ, self._on_events)

    @property
    def stale(self) -> bool:
        """Whether a reused connection has received nothing for its current request."""
        return self._responses > 0 and not self._received

    def send(self, call: Call[Any], owner: ConnectionOwner) -> None:
        """Send a request. The connection must be idle."""
        self.call, self._owner, self._received, self._response = call, owner, b"", None
        self.sent_at = call.sent_at
        self._unsent = owner.encode(call)
        self._send_rest()

    def abort(self) -> None:
        """Close the connection at once."""
        if not self.closed:
            self.closed = True
            self._selector.unregister(self._sock)
            self._sock.close()

    def time_out(self, owner: ConnectionOwner, reason: str) -> None:
        """End the request after a timeout. A response with complete headers counts."""
        response = self._response
        if response is not None:
            self._finish(response.status, response.body, keep_alive=False)
        else:
            self._responses = 0
            owner.on_failure(self, reason, timed_out=True)

    def _on_events(self, events: int) -> None:
        # Reads first: a server may answer early and close, so that the rest of the request meets an error.
        if events & EVENT_READ and not self.closed:
            self._receive()
        if events & EVENT_WRITE and self._unsent and not self.closed:
            self._send_rest()

    def _send_rest(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except _NOT_NOW:
            sent = 0
        except OSError as error:
            self._end(type(error).__name__)
            return
        self._unsent = self._unsent[sent:]
        events = EVENT_READ | EVENT_WRITE if self._unsent else EVENT_READ
        if events != self._events:
            self._events = events
            self._selector.modify(self._sock, events, self._on_events)

    def _receive(self) -> None:
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except _NOT_NOW:
            return
        except OSError as error:
            self._end(type(error).__name__)
            return
        if not data:
            self._end("connection closed")
        elif self.call is None:
            # Data without a request: the connection is out of step.
            self.abort()
        else:
            self._parse(self._received + data)

    def _parse(self, data: bytes) -> None:
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

    def _end(self, reason: str) -> None:
        """The connection has ended."""
        self.abort()
        if self.call is None:
            return
        response = self._response
        if response is not None and response.usable:
            self._finish(response.status, response.body, keep_alive=False)
        else:
            self._fail(reason)

    def _finish(self, status: int, body: bytes, keep_alive: bool) -> None:
        self._received, self._response = b"", None
        self._responses += 1
        if self._owner is not None:
            # The next request must not begin in the middle of one that was answered early.
            self._owner.on_response(self, status, body, keep_alive and not self._unsent)

    def _fail(self, reason: str) -> None:
        if self._owner is not None:
            self._owner.on_failure(self, reason)
