"""Transport over the standard library's asyncio: for the functions, which ship no dependencies.

HTTP/1.1 with keep-alive, one request at a time on each connection. A response counts when its headers are
complete and, where it may matter, its body. A request whose response breaks off before that is retried.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from nwchat.aws.http_client import host_address
from nwchat.aws.idle_connections import is_idle_too_long
from nwchat.aws.tls import client_context, load_all
from nwchat.delivery.http_connection import HttpConnection
from nwchat.delivery.http_proxy import ProxyError, open_tunnel
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import RequestScheduler

CONNECT_TIMEOUT_SECONDS = 3.0
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


class AsyncioTransport:
    """A transport with its own event loop, for one thread.

    `verify` is the TLS context for https. `proxy` returns the HTTP proxy for a URL, or "".
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | None = None,
        proxy: Callable[[str], str] = lambda url: "",
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.wall_clock = wall_clock
        """Returns epoch seconds; see `nwchat.aws.idle_connections`."""
        self._loop = asyncio.new_event_loop()
        self._verify = verify
        self._proxy = proxy
        self._idle: dict[tuple[str, str], deque[HttpConnection]] = {}
        self._error: BaseException | None = None
        self._loop.set_exception_handler(self._handle_exception)

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        """Run the scheduler's requests until every item has its outcome."""
        key = (scheduler.target.scheme, scheduler.target.host)
        run = _Run(self, scheduler, self._idle.setdefault(key, deque()), stop_reason)
        self._error = None
        try:
            self._loop.run_until_complete(run.finish())
        finally:
            run.abort()

    def close(self) -> None:
        """Close the idle connections and the event loop."""
        for connections in self._idle.values():
            while connections:
                connections.pop().abort()
        # One more iteration of the loop, in which the transports close.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def connect(self, scheme: str, host: str, connection: HttpConnection) -> None:
        """Connect `connection`. Raises OSError (ssl.SSLError included) or TimeoutError."""
        secure = self._context() if scheme == "https" else None
        try:
            await self._open(scheme, host, connection, secure)
        except ssl.SSLCertVerificationError:
            if secure is None or not load_all(secure):
                raise
            await self._open(scheme, host, connection, secure)

    async def _open(
        self, scheme: str, host: str, connection: HttpConnection, secure: ssl.SSLContext | None
    ) -> None:
        name, port = host_address(scheme, host)
        options: dict[str, Any] = {"ssl": secure, "server_hostname": name if secure else None}
        if secure:
            options["ssl_handshake_timeout"] = CONNECT_TIMEOUT_SECONDS
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS * 2):
            proxy = self._proxy(f"{scheme}://{host}")
            if proxy:
                sock = await open_tunnel(self._loop, proxy, name, port)
                await self._loop.create_connection(lambda: connection, sock=sock, **options)
            else:
                await self._loop.create_connection(lambda: connection, name, port, **options)

    def raise_error(self) -> None:
        """Raise the first error of a callback, which asyncio would only log."""
        if self._error is not None:
            raise self._error

    def record_error(self, task: asyncio.Task[None]) -> None:
        """Record the error of a finished task."""
        if not task.cancelled():
            self._error = self._error or task.exception()

    def _handle_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Other contexts concern futures that are no longer awaited.
        if "protocol" in context or "handle" in context:
            self._error = self._error or context.get("exception")

    def _context(self) -> ssl.SSLContext:
        if self._verify is None:
            self._verify = client_context()
        return self._verify


class _Run:
    """One scheduler's requests, over idle and new connections."""

    def __init__(
        self,
        transport: AsyncioTransport,
        scheduler: RequestScheduler[Any],
        idle: deque[HttpConnection],
        stop_reason: Callable[[], str] | None,
    ) -> None:
        self._transport = transport
        self._scheduler = scheduler
        self._idle = idle
        self._stop_reason = stop_reason
        self._busy: set[HttpConnection] = set()
        self._connecting: dict[asyncio.Task[None], Call[Any]] = {}
        self._changed = asyncio.Event()
        self._next_timeout_check = 0.0
        self._timer: asyncio.TimerHandle | None = None
        target = scheduler.target
        self.head = f"{target.method} ".encode()
        static = "".join(f"\r\n{line}" for line in target.headers)
        self._static = f" HTTP/1.1\r\nhost: {target.host}{static}\r\n"
        self._has_body = target.method == "POST"

    async def finish(self) -> None:
        """Send requests and check timeouts until the scheduler is done."""
        while True:
            self._send_pending()
            self._transport.raise_error()
            if self._scheduler.done:
                break
            seconds = _TIMEOUT_CHECK_SECONDS
            if len(self._connecting) < _MAX_CONNECTING:
                seconds = max(0.001, min(seconds, self._scheduler.wait_seconds(time.monotonic())))
            self._timer = asyncio.get_running_loop().call_later(seconds, self._changed.set)
            await self._changed.wait()
            self._changed.clear()
            self._timer.cancel()
            self._check_timeouts()

    def abort(self) -> None:
        """Cancel the requests in flight. Their items get no outcome."""
        for task in self._connecting:
            task.cancel()
        for connection in list(self._busy):
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
        self._changed.set()

    def _discard(self, connection: HttpConnection) -> None:
        """Close a connection that cannot be used again."""
        self._busy.discard(connection)
        connection.abort()
        self._changed.set()

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
        task = asyncio.get_running_loop().create_task(self._connect_and_send(call))
        self._connecting[task] = call
        task.add_done_callback(self._transport.record_error)

    async def _connect_and_send(self, call: Call[Any]) -> None:
        connection = HttpConnection()
        reason = ""
        try:
            await self._transport.connect(
                self._scheduler.target.scheme, self._scheduler.target.host, connection
            )
        except Exception as error:
            reason = f"not connected: {_error_text(error)}"
        except BaseException:
            connection.abort()
            raise
        # From here on only this task records the call's outcome.
        self._connecting.pop(cast("asyncio.Task[None]", asyncio.current_task()))
        self._changed.set()
        if reason:
            connection.abort()
            self._scheduler.record_failure(call, reason, time.monotonic())
        else:
            self._busy.add(connection)
            # The latency does not include the handshake.
            call.sent_at = time.monotonic()
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
            for task, call in list(self._connecting.items()):
                del self._connecting[task]
                task.cancel()
                scheduler.record_failure(call, f"{scheduler.stop_reason}: not connected yet", now)
        for connection in list(self._busy):
            if connection.call is not None and past_grace:
                connection.time_out(self, f"{scheduler.stop_reason}: no answer yet")
            elif connection.call is not None and now - connection.sent_at > RESPONSE_TIMEOUT_SECONDS:
                connection.time_out(self, f"no answer within {RESPONSE_TIMEOUT_SECONDS:g} s")


def _error_text(error: Exception) -> str:
    """The error's type; for an error of a certificate or of a proxy also the reason."""
    kind = type(error).__name__
    if isinstance(error, ProxyError):
        return f"{kind}: {error}"
    return f"{kind}: {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else kind
