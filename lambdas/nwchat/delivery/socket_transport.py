"""Transport over sockets of the standard library: for the functions, which ship no dependencies.

HTTP/1.1 with keep-alive, one request at a time on each connection. A response counts when its headers are
complete and, where it may matter, its body. A request whose response breaks off before that is retried.
Without asyncio, whose import takes a quarter of a cold start.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable
from selectors import DefaultSelector
from typing import Any, Protocol

from nwchat.aws.http_client import failure_text, host_address
from nwchat.aws.idle_connections import is_idle_too_long
from nwchat.aws.tls import client_context
from nwchat.delivery.connecting import Connecting, Proxy, ProxyError, Server, Steps, connect, look_up
from nwchat.delivery.http_connection import HttpConnection
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import RequestScheduler

CONNECT_TIMEOUT_SECONDS = 3.0
"""How long each step of connecting may take: TCP with a proxy's response, for each address, and TLS."""
RESPONSE_TIMEOUT_SECONDS = 8.0
"""API Gateway answers a post within milliseconds, so waiting longer is pointless."""
_TIMEOUT_CHECK_SECONDS = 0.25
_MAX_CONNECTING = 32


class Transport(Protocol):
    """Runs schedulers, one after the other, and keeps its connections between them."""

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        """Return when every item has its outcome.

        `stop_reason` is called several times a second and returns why to stop, or "".
        """

    def close(self) -> None:
        """Close the connections."""


class SocketTransport:
    """A transport for one thread.

    `verify` is the TLS context for https. `proxy` returns the HTTP proxy for a URL, if any. `wall_clock`
    returns epoch seconds; see `nwchat.aws.idle_connections`.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | None = None,
        proxy: Callable[[str], Proxy | None] = lambda url: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.wall_clock = wall_clock
        self.selector = DefaultSelector()
        """Has a callback for each socket, which takes the events."""
        self._verify = verify
        self._proxy = proxy
        self._idle: dict[tuple[str, str], deque[HttpConnection]] = {}

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        """Run the scheduler's requests until every item has its outcome."""
        key = (scheduler.target.scheme, scheduler.target.host)
        run = _Run(self, scheduler, self._idle.setdefault(key, deque()), stop_reason)
        try:
            run.finish()
        finally:
            run.abort()

    def close(self) -> None:
        """Close the idle connections."""
        for connections in self._idle.values():
            while connections:
                connections.pop().abort()
        self.selector.close()

    def server(self, scheme: str, host: str) -> Server:
        """How to reach a server. Raises OSError when the certificates to trust cannot be read."""
        name, port = host_address(scheme, host)
        if scheme == "https" and self._verify is None:
            self._verify = client_context()
        tls = self._verify if scheme == "https" else None
        return Server(name, port, tls, self._proxy(f"{scheme}://{host}"))


class _Run:
    """One scheduler's requests, over idle and new connections."""

    def __init__(
        self,
        transport: SocketTransport,
        scheduler: RequestScheduler[Any],
        idle: deque[HttpConnection],
        stop_reason: Callable[[], str] | None,
    ) -> None:
        self._transport = transport
        self._scheduler = scheduler
        self._idle = idle
        self._stop_reason = stop_reason
        self._busy: set[HttpConnection] = set()
        self._connecting: set[Connecting] = set()
        self._changed = False
        """Whether a connection became free, or a request may have to be sent again."""
        self._next_timeout_check = 0.0
        self._server: Server | None = None
        self._addresses: list[Any] = []
        target = scheduler.target
        self.head = f"{target.method} ".encode()
        static = "".join(f"\r\n{line}" for line in target.headers)
        self._static = f" HTTP/1.1\r\nhost: {target.host}{static}\r\n"
        self._has_body = target.method == "POST"

    def finish(self) -> None:
        """Send requests and check timeouts until the scheduler is done."""
        while True:
            self._send_pending()
            if self._scheduler.done:
                break
            seconds, now = _TIMEOUT_CHECK_SECONDS, time.monotonic()
            if len(self._connecting) < _MAX_CONNECTING:
                seconds = max(0.001, min(seconds, self._scheduler.wait_seconds(now)))
            self._wait_until(now + seconds)
            self._check_timeouts()

    def _wait_until(self, wake_at: float) -> None:
        """Handle events until something changes for requests that wait, but not beyond `wake_at`."""
        self._changed, seconds = False, wake_at - time.monotonic()
        while True:
            for key, events in self._transport.selector.select(max(seconds, 0.0)):
                key.data(events)
            if self._changed or (seconds := wake_at - time.monotonic()) <= 0:
                return

    def abort(self) -> None:
        """Close the connections of requests in flight. Their items get no outcome."""
        for connecting in self._connecting:
            connecting.abort()
        for connection in self._busy:
            connection.call = None
            connection.abort()

    def encode(self, call: Call[Any]) -> bytes:
        """The request as bytes of HTTP/1.1."""
        path, headers = call.signed
        length = f"\r\ncontent-length: {len(call.body)}" if self._has_body else ""
        head = f"{path}{self._static}" + "\r\n".join(headers) + f"{length}\r\n\r\n"
        return self.head + head.encode("latin-1") + call.body

    def on_response(self, connection: HttpConnection, status: int, body: bytes, keep_alive: bool) -> None:
        """Record a response, and send the next request on the connection."""
        scheduler, now, call = self._scheduler, time.monotonic(), connection.call
        connection.call = None
        if call is not None:
            scheduler.record_response(call, status, body, now)
        if not keep_alive:
            self._discard(connection)
            return
        following = scheduler.next_call(now)
        if following is not None:
            connection.send(following, self)
            return
        self._busy.discard(connection)
        connection.idle_since = self._transport.wall_clock()
        self._idle.append(connection)
        self._changed = True

    def _discard(self, connection: HttpConnection) -> None:
        """Close a connection that cannot be used again."""
        self._busy.discard(connection)
        connection.abort()
        self._changed = True

    def on_failure(self, connection: HttpConnection, reason: str, *, timed_out: bool = False) -> None:
        """Record that a connection failed during its request."""
        call, now = connection.call, time.monotonic()
        connection.call = None
        self._discard(connection)
        if call is None:
            return
        if connection.stale and not self._scheduler.stop_reason:
            # The server closed an idle connection while the request was being sent: send it again, without
            # counting a failure.
            self._start_connecting(call)
        else:
            self._scheduler.record_failure(call, reason, now, timed_out=timed_out)

    def _send_pending(self) -> None:
        while len(self._connecting) < _MAX_CONNECTING:
            call = self._scheduler.next_call(time.monotonic())
            if call is None:
                return
            connection = self._take_idle()
            if connection is not None:
                self._busy.add(connection)
                connection.send(call, self)
            else:
                self._start_connecting(call)

    def _take_idle(self) -> HttpConnection | None:
        """A connection that can be used again; those that were idle for too long are closed."""
        now = self._transport.wall_clock()
        while self._idle and is_idle_too_long(self._idle[0].idle_since, now):
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    def _start_connecting(self, call: Call[Any]) -> None:
        connecting = Connecting(call, self._steps(), self._transport.selector, self._continue_connecting)
        self._connecting.add(connecting)
        self._continue_connecting(connecting)

    def _steps(self) -> Steps:
        if self._server is None:
            self._server = self._transport.server(self._scheduler.target.scheme, self._scheduler.target.host)
        return (yield from connect(self._server, self._look_up))

    def _look_up(self) -> list[Any]:
        """The server's addresses: looked up for the first connection, and again after one that failed."""
        if not self._addresses and self._server is not None:
            self._addresses = look_up(self._server)
        return self._addresses

    def _continue_connecting(self, connecting: Connecting, error: Exception | None = None) -> None:
        """Take the next step, and send the request after the last one."""
        call, reason = connecting.call, ""
        try:
            sock = connecting.step(error)
        except (OSError, ValueError) as failure:
            sock, reason = None, f"not connected: {_error_text(failure)}"
        now = time.monotonic()
        if sock is None and not reason:
            if connecting.is_new_step:
                connecting.expires_at = now + CONNECT_TIMEOUT_SECONDS
            return
        self._connecting.discard(connecting)
        self._changed = True
        if sock is None:
            self._addresses = []
            self._scheduler.record_failure(call, reason, now)
            return
        connection = HttpConnection(sock, self._transport.selector)
        self._busy.add(connection)
        # The latency does not include the handshake.
        call.sent_at = now
        connection.send(call, self)

    def _check_timeouts(self) -> None:
        now = time.monotonic()
        if now < self._next_timeout_check:
            return
        self._next_timeout_check = now + _TIMEOUT_CHECK_SECONDS
        scheduler = self._scheduler
        if self._stop_reason is not None and not scheduler.stop_reason and (reason := self._stop_reason()):
            scheduler.stop(reason)
        past_grace = scheduler.past_grace(now)
        if past_grace:
            for connecting in list(self._connecting):
                self._connecting.discard(connecting)
                connecting.abort()
                reason = f"{scheduler.stop_reason}: not connected yet"
                scheduler.record_failure(connecting.call, reason, now)
        for connecting in list(self._connecting):
            if now >= connecting.expires_at:
                self._continue_connecting(connecting, TimeoutError())
        for connection in list(self._busy):
            if connection.call is not None and past_grace:
                connection.time_out(self, f"{scheduler.stop_reason}: no answer yet")
            elif connection.call is not None and now - connection.sent_at > RESPONSE_TIMEOUT_SECONDS:
                connection.time_out(self, f"no answer within {RESPONSE_TIMEOUT_SECONDS:g} s")


def _error_text(error: Exception) -> str:
    """The kind of a failure; for an error of a proxy also the reason."""
    return f"{type(error).__name__}: {error}" if isinstance(error, ProxyError) else failure_text(error)
