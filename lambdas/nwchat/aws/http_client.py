"""A blocking HTTP/1.1 client of one host, which keeps its connections. For several threads.

http.client of the standard library imports the parser of e-mails, which takes 7 ms of a cold start.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from select import POLLIN, poll
from typing import Any

from nwchat.aws.errors import NoAwsResponse
from nwchat.aws.http_response import decode_chunks, framing, header_in, split_head
from nwchat.aws.idle_connections import is_idle_too_long
from nwchat.aws.tls import load_all
from nwchat.values import dataclass

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A page of DynamoDB has at most 1 MB of attributes, in JSON at most about eight times as much."""
_MAX_IDLE = 16
_RECEIVE_BYTES = 256 * 1024
_READ_TIMEOUTS_PER_RESPONSE = 3
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HttpTimeouts:
    """Seconds until a connection is made, and until a response continues. A whole response may take
    three times the latter."""

    connect: float = 2.0
    read: float = 5.0


DEFAULT_TIMEOUTS = HttpTimeouts()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete response; `head` has its headers as received."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header, "" without one."""
        return header_in(self.head, name)


class _Stale(Exception):
    """The server closed a kept connection before it began to respond."""


class HttpClient:
    """Sends requests to `host`, as in a Host header, and returns their responses.

    `tls` returns the TLS context for https. `wall_clock` returns epoch seconds; see
    `nwchat.aws.idle_connections`.
    """

    def __init__(
        self,
        scheme: str,
        host: str,
        tls: Callable[[], ssl.SSLContext],
        timeouts: HttpTimeouts,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._scheme = scheme
        self._address = host_address(scheme, host)
        self._tls = tls
        self._timeouts = timeouts
        self._wall_clock = wall_clock
        self._idle: deque[tuple[socket.socket, float]] = deque()

    def send(self, request: bytes) -> HttpAnswer:
        """Send a request and return its response. Raises NoAwsResponse when none arrives.

        A request on a kept connection that the server has closed is sent again on a new one: the server may
        have processed it the first time, as with every retry.
        """
        kept = self._take_idle()
        if kept is not None:
            try:
                return self._exchange(kept, request, kept=True)
            except _Stale:
                pass
        return self._exchange(self._connect(), request, kept=False)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take_idle(self) -> socket.socket | None:
        """The connection used last; those that are closed, out of step or idle for too long are dropped."""
        while True:
            try:
                sock, used_at = self._idle.pop()
            except IndexError:
                return None
            if not is_idle_too_long(used_at, self._wall_clock()) and not _is_readable(sock):
                return sock
            sock.close()

    def _connect(self) -> socket.socket:
        try:
            try:
                return self._open()
            except ssl.SSLCertVerificationError:
                if not load_all(self._tls()):
                    raise
                return self._open()
        except OSError as error:
            raise NoAwsResponse(f"not connected: {failure_text(error)}") from None

    def _open(self) -> socket.socket:
        name, port = self._address
        # As bytes: Python would import its table of international names for a text.
        host: Any = name.encode("ascii")
        sock = socket.create_connection((host, port), self._timeouts.connect)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._scheme == "https":
                return self._tls().wrap_socket(sock, server_hostname=host)
            return sock
        except BaseException:
            sock.close()
            raise

    def _exchange(self, sock: socket.socket, request: bytes, *, kept: bool) -> HttpAnswer:
        reader = _Reader(sock, self._timeouts.read)
        try:
            sock.settimeout(self._timeouts.read)
            sock.sendall(request)
            answer, keep_alive = reader.read_answer()
        except BaseException as error:
            sock.close()
            if kept and not reader.received and isinstance(error, ConnectionError | ssl.SSLEOFError):
                raise _Stale from None
            if isinstance(error, OSError | ValueError):
                raise NoAwsResponse(failure_text(error)) from None
            raise
        if keep_alive and len(self._idle) < _MAX_IDLE:
            self._idle.append((sock, self._wall_clock()))
        else:
            sock.close()
        return answer


def _is_readable(sock: socket.socket) -> bool:
    """Whether there is something to read: the end of the connection, or data without a request."""
    waiting = poll()
    waiting.register(sock, POLLIN)
    return bool(waiting.poll(0))


class _Reader:
    """Reads one response. `received` counts its bytes."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._end_at = time.monotonic() + timeout * _READ_TIMEOUTS_PER_RESPONSE
        self.received = 0

    def read_answer(self) -> tuple[HttpAnswer, bool]:
        """The response, and whether the connection can be used again. Raises OSError and ValueError."""
        data = b""
        while (found := split_head(data)) is None:
            if not (more := self._receive()):
                raise ConnectionResetError
            data += more
        status, head, start = found
        keep_alive, chunked, length = framing(status, head)
        if chunked:
            body, rest = self._chunks(start)
            return HttpAnswer(status, head, body), keep_alive and not rest
        body = self._body(start, length)
        return HttpAnswer(status, head, body[:length]), keep_alive and len(body) == length

    def _body(self, start: bytes, length: int | None) -> bytes:
        """At least `length` bytes; everything until the connection ends without a length."""
        parts, size = [start], len(start)
        while True:
            if max(length or 0, size) > MAX_BODY_BYTES:
                raise ValueError("the response is too large")
            if length is not None and size >= length:
                break
            if not (more := self._receive()):
                if length is None:
                    break
                raise ConnectionResetError
            parts.append(more)
            size += len(more)
        return b"".join(parts)

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        while True:
            body, complete, rest = decode_chunks(data)
            if complete:
                return body, rest
            if len(data) > MAX_BODY_BYTES:
                raise ValueError("the response is too large")
            if not (more := self._receive()):
                raise ConnectionResetError
            data += more

    def _receive(self) -> bytes:
        """The next bytes; empty at the end of the connection. Raises TimeoutError."""
        remaining = self._end_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._timeout, remaining))
        data = self._sock.recv(_RECEIVE_BYTES)
        self.received += len(data)
        return data


def host_address(scheme: str, host: str) -> tuple[str, int]:
    """Name and port of the server in a Host header."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), _PORTS[scheme]
    return name.strip("[]"), int(port)


def failure_text(error: Exception) -> str:
    """The kind of a failure: the error's type; for a certificate error also the reason."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{type(error).__name__}: {error.verify_message}"
    return str(error) if type(error) is ValueError else type(error).__name__
