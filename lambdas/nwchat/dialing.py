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

from nwchat.courier import Call, Courier

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 8.0
"""API Gateway answers a post within milliseconds: who waits longer than that waits for nothing."""
_SWEEP_SECONDS = 0.25
_MAX_HEAD = 64 * 1024
_MAX_BODY = 64 * 1024
_DIALS_AT_ONCE = 32
_DECIDED = frozenset((200, 204, 410))
"""Statuses that say all there is to know: whether the body came as well does not matter."""
_PORTS = {"http": 80, "https": 443}


class Transport(Protocol):
    """Runs couriers, one after the other; keeps its connections between them."""

    def run(self, courier: Courier[Any], stopped: Callable[[], str] | None = None) -> None:
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
        self._idle: dict[tuple[str, str], deque[_Line]] = {}

    def run(self, courier: Courier[Any], stopped: Callable[[], str] | None = None) -> None:
        key = (courier.target.scheme, courier.target.host)
        run = _Run(self, courier, self._idle.setdefault(key, deque()), stopped)
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

    async def dial(self, scheme: str, host: str, line: _Line) -> None:
        """Connects `line`. Raises OSError (ssl.SSLError is one), or TimeoutError."""
        name, port = _address(scheme, host)
        secure = self._context() if scheme == "https" else None
        options: dict[str, Any] = {"ssl": secure, "server_hostname": name if secure else None}
        if secure:
            options["ssl_handshake_timeout"] = CONNECT_SECONDS
        async with asyncio.timeout(CONNECT_SECONDS * 2):
            proxy = self._proxy(f"{scheme}://{host}")
            if proxy:
                from nwchat import tunnel

                sock = await tunnel.through(self._loop, proxy, name, port)
                await self._loop.create_connection(lambda: line, sock=sock, **options)
            else:
                await self._loop.create_connection(lambda: line, name, port, **options)

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
        courier: Courier[Any],
        idle: deque[_Line],
        stopped: Callable[[], str] | None,
    ) -> None:
        self._transport = transport
        self._courier = courier
        self._idle = idle
        self._stopped = stopped
        self._busy: set[_Line] = set()
        self._dials: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        self._sweep_at = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self.clock = transport._clock
        target = courier.target
        self.head = f"{target.method} ".encode()
        static = "".join(f"\r\n{line}" for line in target.headers)
        self._static = f" HTTP/1.1\r\nhost: {target.host}{static}\r\n"
        self._bodied = target.method == "POST"

    async def finished(self) -> None:
        while True:
            self._pump()
            if self._courier.over:
                break
            self._wake = asyncio.get_running_loop().call_later(
                max(0.001, min(_SWEEP_SECONDS, self._courier.pause(self.clock()))), self._done.set
            )
            await self._done.wait()
            self._done.clear()
            self._wake.cancel()
            self._sweep()

    def abandon(self) -> None:
        """Whatever is still under way is nobody's any more."""
        for task in self._dials:
            task.cancel()
        for line in list(self._busy):
            line.drop()

    def encode(self, call: Call[Any]) -> bytes:
        path, headers = call.signed
        length = f"\r\ncontent-length: {len(call.body)}" if self._bodied else ""
        head = f"{path}{self._static}" + "\r\n".join(headers) + f"{length}\r\n\r\n"
        return self.head + head.encode("latin-1") + call.body

    def answered(self, line: _Line, status: int, body: bytes, keep: bool) -> None:
        """A line has its answer: on with the next request on it, while there is one."""
        courier, now, call = self._courier, self.clock(), line.call
        line.call = None
        if call is not None:
            courier.answered(call, status, body, now)
        if not keep:
            self.lost(line)
            return
        following = courier.take(now)
        if following is not None:
            line.send(following, self)
            return
        self._busy.discard(line)
        self._idle.append(line)
        self._done.set()

    def lost(self, line: _Line) -> None:
        """A line is of no more use."""
        self._busy.discard(line)
        line.drop()
        self._done.set()

    def broken(self, line: _Line, reason: str) -> None:
        """A line broke under its request."""
        call, now = line.call, self.clock()
        line.call = None
        self.lost(line)
        if call is None:
            return
        if line.stale and not self._stopped_by():
            # Kept too long, and closed by the other side just as we wrote: no fault of the request's.
            self._start(call)
        else:
            self._courier.broken(call, reason, now)

    def _pump(self) -> None:
        while len(self._dials) < _DIALS_AT_ONCE:
            call = self._courier.take(self.clock())
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
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dialled(self, call: Call[Any]) -> None:
        target = self._courier.target
        line = _Line()
        try:
            await self._transport.dial(target.scheme, target.host, line)
        except (OSError, TimeoutError, ValueError) as error:
            line.drop()
            self._courier.broken(call, f"not connected: {type(error).__name__}", self.clock())
            self._done.set()
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
        if reason := self._stopped_by():
            self._courier.stop(reason)
        for line in list(self._busy):
            if line.call is not None and now - line.sent_at > ANSWER_SECONDS:
                line.expired(self)

    def _stopped_by(self) -> str:
        return self._stopped() if self._stopped is not None else ""


class _Line(asyncio.Protocol):
    """One connection, with at most one request on it."""

    def __init__(self) -> None:
        self.call: Call[Any] | None = None
        self.closed = False
        self.sent_at = 0.0
        self._run: _Run | None = None
        self._wire: asyncio.WriteTransport | None = None
        self._bytes = b""
        self._answers = 0

    @property
    def stale(self) -> bool:
        """Whether it had answered before, and has said nothing to its present request."""
        return self._answers > 0 and not self._bytes

    def send(self, call: Call[Any], run: _Run) -> None:
        self.call, self._run, self._bytes = call, run, b""
        self.sent_at = call.sent_at
        assert self._wire is not None
        self._wire.write(run.encode(call))

    def drop(self) -> None:
        self.closed = True
        if self._wire is not None:
            self._wire.abort()

    def expired(self, run: _Run) -> None:
        """The time for an answer is over: what came of it counts, if its headers are whole."""
        known = _parsed(self._bytes)
        if known is not None and self.call is not None:
            self._finish(known[0], known[1], keep=False)
        else:
            self._answers = 0
            run.broken(self, f"no answer within {ANSWER_SECONDS:g} s")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.call is None:
            # Nothing was asked.
            self.drop()
            return
        if self._bytes:
            data = self._bytes + data
        known = _parsed(data)
        if known is None and len(data) <= _MAX_HEAD:
            self._bytes = data
        elif known is None:
            self._bytes = data
            self._broken("headers without an end")
        elif known[2] or len(known[1]) > _MAX_BODY:
            self._finish(known[0], known[1][:_MAX_BODY], keep=known[3] and known[2])
        else:
            self._bytes = data

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.call is None or self._run is None:
            return
        known = _parsed(self._bytes)
        if known is not None and (known[2] or known[4] or known[0] in _DECIDED):
            self._finish(known[0], known[1], keep=False)
        else:
            self._broken(type(exc).__name__ if exc else "connection closed")

    def _finish(self, status: int, body: bytes, keep: bool) -> None:
        self._bytes = b""
        self._answers += 1
        if self._run is not None:
            self._run.answered(self, status, body, keep and not self.closed)

    def _broken(self, reason: str) -> None:
        if self._run is not None:
            self._run.broken(self, reason)


def _parsed(data: bytes) -> tuple[int, bytes, bool, bool, bool] | None:
    """Status, body so far, whether that is all of it, whether the connection can be used again, and whether
    its end would be the body's; None while the headers are not whole, or are none."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or not data.startswith(b"HTTP/1."):
        return None
    status = data[9:12]
    if not status.isdigit():
        return None
    code = int(status)
    if 100 <= code < 200:
        # "100 Continue" and the like: the answer is still to come.
        return _parsed(data[end + 4 :])
    head = data[:end].lower() + b"\r\n"
    body = data[end + 4 :]
    keep = b"\r\nconnection: close" not in head and data[7:8] == b"1"
    if code in (204, 304):
        return code, b"", True, keep and not body, False
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        said = head[at + 17 : head.find(b"\r\n", at + 17)].strip()
        if not said.isdigit():
            return None
        length = int(said)
        return code, body[:length], len(body) >= length, keep and len(body) == length, False
    if b"\r\ntransfer-encoding:" in head and b"chunked" in head:
        text, whole, rest = _unchunked(body)
        return code, text, whole, keep and not rest, False
    return code, body, False, False, True


def _unchunked(data: bytes) -> tuple[bytes, bool, bytes]:
    """A chunked body so far, whether its end was seen, and what came after that."""
    parts: list[bytes] = []
    while True:
        line, found, rest = data.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return b"".join(parts), False, b""
        if not found or size < 0:
            return b"".join(parts), False, b""
        if size == 0:
            # Trailers, up to an empty line.
            end = 0 if rest.startswith(b"\r\n") else rest.find(b"\r\n\r\n") + 2
            whole = rest.startswith(b"\r\n") or b"\r\n\r\n" in rest
            return b"".join(parts), whole, rest[end + 2 :] if whole else b""
        if len(rest) < size + 2:
            parts.append(rest[:size])
            return b"".join(parts), False, b""
        parts.append(rest[:size])
        data = rest[size + 2 :]
