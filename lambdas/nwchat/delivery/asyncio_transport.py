"""The requests of a `Courier` over the standard library's asyncio: for the functions, which ship nothing.

HTTP/1.1, one request at a time on each of a few kept connections. An answer counts once its headers are whole
and, where it may matter, its body: what breaks before that is tried again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from nwchat.delivery.http_connection import HttpConnection
from nwchat.delivery.scheduler import Call, RequestScheduler

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 8.0
"""API Gateway answers a post within milliseconds: who waits longer than that waits for nothing."""
_SWEEP_SECONDS = 0.25
_DIALS_AT_ONCE = 32
_PORTS = {"http": 80, "https": 443}


class Transport(Protocol):
    """Runs couriers, one after the other; keeps its connections between them."""

    def run(self, scheduler: RequestScheduler[Any], stopped: Callable[[], str] | None = None) -> None:
        """Returns when all is settled. `stopped`, asked some times a second, gives why to stop, or ""."""

    def close(self) -> None:
        """Closes the connections."""


class AsyncioTransport:
    """One event loop of its own, for one thread. `verify` is for https; `proxy` gives for a URL the one of an
    HTTP proxy on the way, or ""."""

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | None = None,
        proxy: Callable[[str], str] = lambda url: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._verify = verify
        self._proxy = proxy
        self._clock = clock
        self._idle: dict[tuple[str, str], deque[HttpConnection]] = {}
        self._error: BaseException | None = None
        self._loop.set_exception_handler(self._failed)

    def run(self, scheduler: RequestScheduler[Any], stopped: Callable[[], str] | None = None) -> None:
        key = (scheduler.target.scheme, scheduler.target.host)
        run = _Run(self, scheduler, self._idle.setdefault(key, deque()), stopped)
        self._error = None
        try:
            self._loop.run_until_complete(run.finished())
        finally:
            run.abandon()

    def close(self) -> None:
        for lines in self._idle.values():
            while lines:
                lines.pop().drop()
        # One more turn, in which the transports close.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def dial(self, scheme: str, host: str, line: HttpConnection) -> None:
        """Connects `line`. Raises OSError (ssl.SSLError is one), or TimeoutError."""
        name, port = _address(scheme, host)
        secure = self._context() if scheme == "https" else None
        options: dict[str, Any] = {"ssl": secure, "server_hostname": name if secure else None}
        if secure:
            options["ssl_handshake_timeout"] = CONNECT_SECONDS
        async with asyncio.timeout(CONNECT_SECONDS * 2):
            proxy = self._proxy(f"{scheme}://{host}")
            if proxy:
                from nwchat.delivery import http_proxy  # noqa: PLC0415 - only with a proxy

                sock = await http_proxy.connect_through(self._loop, proxy, name, port)
                await self._loop.create_connection(lambda: line, sock=sock, **options)
            else:
                await self._loop.create_connection(lambda: line, name, port, **options)

    def check(self) -> None:
        """Raises what a callback raised, which asyncio would only write to a log."""
        if self._error is not None:
            raise self._error

    def note(self, task: asyncio.Task[None]) -> None:
        """Takes note of what a task raised."""
        if not task.cancelled():
            self._error = self._error or task.exception()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The rest are futures that nobody waits for any more.
        if "protocol" in context or "handle" in context:
            self._error = self._error or context.get("exception")

    def _context(self) -> ssl.SSLContext:
        if self._verify is None:
            self._verify = ssl.create_default_context()
        return self._verify


def _address(scheme: str, host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), _PORTS[scheme]
    return name.strip("[]"), int(port)


class _Run:
    """One courier's requests, over the idle lines and new ones."""

    def __init__(
        self,
        transport: AsyncioTransport,
        scheduler: RequestScheduler[Any],
        idle: deque[HttpConnection],
        stopped: Callable[[], str] | None,
    ) -> None:
        self._transport = transport
        self._scheduler = scheduler
        self._idle = idle
        self._stopped = stopped
        self._busy: set[HttpConnection] = set()
        self._dials: dict[asyncio.Task[None], Call[Any]] = {}
        self._done = asyncio.Event()
        self._sweep_at = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self.clock = transport._clock
        target = scheduler.target
        self.head = f"{target.method} ".encode()
        static = "".join(f"\r\n{line}" for line in target.headers)
        self._static = f" HTTP/1.1\r\nhost: {target.host}{static}\r\n"
        self._bodied = target.method == "POST"

    async def finished(self) -> None:
        while True:
            self._pump()
            self._transport.check()
            if self._scheduler.over:
                break
            pause = _SWEEP_SECONDS
            if len(self._dials) < _DIALS_AT_ONCE:
                pause = max(0.001, min(pause, self._scheduler.pause(self.clock())))
            self._wake = asyncio.get_running_loop().call_later(pause, self._done.set)
            await self._done.wait()
            self._done.clear()
            self._wake.cancel()
            self._sweep()

    def abandon(self) -> None:
        """Whatever is still under way is nobody's any more."""
        for task in self._dials:
            task.cancel()
        for line in list(self._busy):
            line.call = None
            line.drop()

    def encode(self, call: Call[Any]) -> bytes:
        path, headers = call.signed
        length = f"\r\ncontent-length: {len(call.body)}" if self._bodied else ""
        head = f"{path}{self._static}" + "\r\n".join(headers) + f"{length}\r\n\r\n"
        return self.head + head.encode("latin-1") + call.body

    def answered(self, line: HttpConnection, status: int, body: bytes, keep: bool) -> None:
        """A line has its answer: on with the next request on it, while there is one."""
        scheduler, now, call = self._scheduler, self.clock(), line.call
        line.call = None
        if call is not None:
            scheduler.answered(call, status, body, now)
        if not keep:
            self.lost(line)
            return
        following = scheduler.take(now)
        if following is not None:
            line.send(following, self)
            return
        self._busy.discard(line)
        self._idle.append(line)
        self._done.set()

    def lost(self, line: HttpConnection) -> None:
        """A line is of no more use."""
        self._busy.discard(line)
        line.drop()
        self._done.set()

    def broken(self, line: HttpConnection, reason: str) -> None:
        """A line broke under its request."""
        call, now = line.call, self.clock()
        line.call = None
        self.lost(line)
        if call is None:
            return
        if line.stale and not self._scheduler.stopped:
            # Kept too long, and closed by the other side just as we wrote: no fault of the request's.
            self._start(call)
        else:
            self._scheduler.broken(call, reason, now)

    def _pump(self) -> None:
        while len(self._dials) < _DIALS_AT_ONCE:
            call = self._scheduler.take(self.clock())
            if call is None:
                return
            while self._idle and self._idle[-1].closed:
                self._idle.pop()
            if self._idle:
                line = self._idle.pop()
                self._busy.add(line)
                line.send(call, self)
            else:
                self._start(call)

    def _start(self, call: Call[Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._dialled(call))
        self._dials[task] = call
        task.add_done_callback(self._transport.note)

    async def _dialled(self, call: Call[Any]) -> None:
        line = HttpConnection()
        reason = ""
        try:
            await self._transport.dial(self._scheduler.target.scheme, self._scheduler.target.host, line)
        except Exception as error:
            reason = f"not connected: {_named(error)}"
        except BaseException:
            line.drop()
            raise
        # From here on nobody else settles the call.
        self._dials.pop(cast("asyncio.Task[None]", asyncio.current_task()))
        self._done.set()
        if reason:
            line.drop()
            self._scheduler.broken(call, reason, self.clock())
        else:
            self._busy.add(line)
            # The handshake is not part of what an answer takes.
            call.sent_at = self.clock()
            line.send(call, self)

    def _sweep(self) -> None:
        now = self.clock()
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_SECONDS
        scheduler = self._scheduler
        if self._stopped is not None and not scheduler.stopped and (reason := self._stopped()):
            scheduler.stop(reason)
        late = scheduler.late(now)
        if late:
            for task, call in list(self._dials.items()):
                del self._dials[task]
                task.cancel()
                scheduler.broken(call, f"{scheduler.stopped}: not connected yet", now)
        for line in list(self._busy):
            if line.call is not None and late:
                line.expired(self, f"{scheduler.stopped}: no answer yet")
            elif line.call is not None and now - line.sent_at > ANSWER_SECONDS:
                line.expired(self, f"no answer within {ANSWER_SECONDS:g} s")


def _named(error: Exception) -> str:
    """What kind of error it is; of a certificate, what is wrong with it."""
    kind = type(error).__name__
    return f"{kind}: {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else kind
