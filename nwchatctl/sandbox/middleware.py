"""An ASGI middleware in front of ministack that counts clients and applies AWS's WebSocket limits.

ministack has no size limit, accepts binary frames and keeps idle connections; on AWS each of these closes the
connection, and only that one (the rules `frame_size`, `message_size`, `binary_frames`, `idle_timeout` and
`connection_lifetime`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.socket_timer import SocketTimer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

GOING_AWAY, UNSUPPORTED, TOO_BIG, RESTARTING = 1001, 1003, 1009, 1012
REASONS = {GOING_AWAY: "Going away"}

# Set by nwchatctl.sandbox.patches.websocket_frames, which sees the frames that an ASGI message is made of.
LARGEST_FRAME = "nwchat.largest_frame"
# Set where not all of the message was kept.
MESSAGE_SIZE = "nwchat.message_size"

# In the scope of a connection: its `ClientSocket`, for the patches.
SOCKET = "nwchat.socket"

CLOSE_SECONDS = 1.0
"""How long a client may take to read what was sent before, and the close frame."""


def replace_surrogates(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced, so that it can be encoded as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def close_code(message: Message) -> int | None:
    """The code with which AWS closes the connection after this message; None if it accepts the message."""
    held, data = limits.current(), message.get("bytes")
    if data is not None and held.on("binary_frames"):
        return UNSUPPORTED
    size = len(data or (message.get("text") or "").encode("utf-8", "replace"))
    too_big = exceeds("frame_size", message.get(LARGEST_FRAME, size)) or exceeds(
        "message_size", message.get(MESSAGE_SIZE, size)
    )
    return TOO_BIG if too_big else None


def exceeds(rule: str, size: int) -> bool:
    """Whether a size is over the value of a rule."""
    most = limits.current().value(rule)
    return most is not None and size > most


class ClientSocket:
    """One client's connection. After `end` the app receives a disconnect, and its sends are dropped.

    `abort` drops the connection of a client that does not read its close frame.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        abort: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive = receive
        self._send = send
        self._abort = abort
        self._code: int | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._expiry: asyncio.Task[None] | None = None
        self.timer = SocketTimer(self._expire, clock=clock, call_later=asyncio.get_running_loop().call_later)

    async def receive(self) -> Message:
        if self._code is not None:
            return self._disconnect(self._code)
        self._reader = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self._code is None or self._reader is None:
                raise
            self._reader.uncancel()
            return self._disconnect(self._code)
        finally:
            self._reader = None
        if message["type"] == "websocket.receive":
            self.timer.record_message()
            if (code := close_code(message)) is not None:
                await self.end(code)
                return self._disconnect(code)
        return message

    def _disconnect(self, code: int) -> Message:
        reason = {"reason": REASONS[code]} if code in REASONS else {}
        return {"type": "websocket.disconnect", "code": code, **reason}

    async def send(self, message: Message) -> None:
        if self._code is not None:
            return
        if message["type"] == "websocket.send":
            self.timer.record_message()
            if message.get("text") is not None:
                message = {**message, "text": replace_surrogates(message["text"])}
        elif message["type"] == "websocket.accept":
            self.timer.start()
        await self._send(message)

    async def end(self, code: int) -> None:
        """Closes the connection from the server's side."""
        if self._code is not None:
            return
        self._code = code
        self.timer.cancel()
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()
        await self._send({"type": "websocket.close", "code": code, "reason": REASONS.get(code, "")})

    def _expire(self) -> None:
        """Ends the connection because it was idle or open for too long."""
        loop = asyncio.get_running_loop()
        self._expiry = loop.create_task(self.end(GOING_AWAY))
        loop.call_later(CLOSE_SECONDS, self._abort)


class Middleware:
    """The outermost ASGI app. Calls `on_write` after a request that may have changed state, `on_ready` once
    the app has started. `abort_client` returns what drops the connection of this task's client."""

    def __init__(
        self,
        app: App,
        *,
        on_write: Callable[[], None] = lambda: None,
        on_ready: Callable[[], None] = lambda: None,
        abort_client: Callable[[], Callable[[], None]] = lambda: lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._on_write = on_write
        self._on_ready = on_ready
        self._abort_client = abort_client
        self._clock = clock
        self._sockets: set[ClientSocket] = set()
        self._requests = 0
        self._last_used = clock()
        self._closing = False
        self._empty = asyncio.Event()

    def idle_seconds(self) -> float:
        """Seconds without a request in progress or an open connection."""
        return 0.0 if self._requests or self._sockets else self._clock() - self._last_used

    async def close(self, *, timeout: float) -> None:
        """Closes all connections and accepts no more; waits up to `timeout` seconds for their $disconnect
        events."""
        self._closing = True
        await asyncio.gather(*(each.end(RESTARTING) for each in self._sockets), return_exceptions=True)
        if self._sockets:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._lifespan(scope, receive, send)

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        socket = ClientSocket(receive, send, abort=self._abort_client(), clock=self._clock)
        if self._closing:
            await receive()
            await socket.end(RESTARTING)
            return
        self._sockets.add(socket)
        try:
            await self._app({**scope, SOCKET: socket}, socket.receive, socket.send)
        finally:
            socket.timer.cancel()
            self._sockets.discard(socket)
            self._last_used = self._clock()
            if not self._sockets:
                self._empty.set()

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        self._requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            self._last_used = self._clock()
            if may_write(scope["method"], scope["path"], scope["headers"]):
                self._on_write()

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_and_report_ready(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._on_ready()

        await self._app(scope, receive, send_and_report_ready)


_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READ_VERBS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "List", "Describe", "Filter", "Lookup")


def may_write(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """False for certain reads: a REST read, a read by X-Amz-Target, a frame to a connection.

    `headers` are ASGI's: lower-case names. The query protocol (IAM, STS) names its action in the body, which
    is not read here, so each such request counts as a write.
    """
    if method in _READ_METHODS or "/@connections/" in path:
        return False
    target = next((value for name, value in headers if name == b"x-amz-target"), b"")
    return not target.decode("latin-1").rpartition(".")[2].startswith(_READ_VERBS)
