"""The smoke test as a script over two sockets: what is sent, what has to come back, and how long it took.

Knows the protocol and no network: sockets and the clock are handed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

WAIT = 10.0
"""Seconds that each step may take: a cold start of a function takes one or two."""


class Socket(Protocol):
    """One connection to the chat."""

    def send(self, text: str) -> None:
        """Sends one text frame."""

    def receive(self, seconds: float) -> str:
        """The next text frame. Raises TimeoutError, or SocketClosed."""

    def close(self) -> int:
        """Closes cleanly; the close code of the other side."""


class SocketClosed(Exception):
    """The other side closed; the text says with what code and reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test: `detail` says what was seen, or what was missing."""

    name: str
    ok: bool
    ms: float
    detail: str


@dataclass
class _Frames:
    """Frames of one socket, those kept that were not waited for yet: order across kinds is not promised."""

    socket: Socket
    clock: Callable[[], float]
    early: list[dict[str, Any]] = field(default_factory=list)

    def wait_for(self, what: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = self.clock() + WAIT
        while True:
            for number, frame in enumerate(self.early):
                if wanted(frame):
                    return self.early.pop(number)
            left = deadline - self.clock()
            if left <= 0:
                raise TimeoutError(f"no {what} within {WAIT:g} s")
            try:
                text = self.socket.receive(left)
            except TimeoutError:
                raise TimeoutError(f"no {what} within {WAIT:g} s") from None
            frame = json.loads(text)
            if frame.get("type") == "error" or "connectionId" in frame:
                raise SocketClosed(f"the chat answered {text[:200]}")
            self.early.append(frame)


def smoke(
    connect: Callable[[], Socket],
    clock: Callable[[], float],
    nonce: str,
    *,
    echo: bool = True,
    max_chars: int = 1000,
    uninvited: Callable[[], Socket] | None = None,
) -> Iterator[Step]:
    """Yields a step as soon as it is done; ends after the first that failed.

    `nonce` makes this run's message and client id its own. `echo` and `max_chars` are the settings
    `chat.echo_to_sender` and `chat.max_message_chars`. `uninvited` connects without a token, where that has
    to fail.
    """
    run = _Run(clock, nonce, echo, max_chars)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("connect", lambda: run.connect(connect)),
        *([("refuse", lambda: _refused(uninvited))] if uninvited else []),
        ("ping", run.ping),
        ("send", run.send),
        ("ack", run.ack),
        ("echo", run.echoed),
        ("history", run.history),
        ("close", run.close),
    ]
    try:
        for name, step in steps:
            began = clock()
            try:
                detail, ok = step(), True
            except (TimeoutError, SocketClosed, OSError, ValueError) as error:
                detail, ok = str(error) or type(error).__name__, False
            yield Step(name, ok, round((clock() - began) * 1000, 1), detail)
            if not ok:
                return
    finally:
        run.abandon()


def _refused(connect: Callable[[], Socket]) -> str:
    """Raises ValueError where whoever has no token comes in, and SocketClosed for another refusal."""
    try:
        socket = connect()
    except SocketClosed as closed:
        if not str(closed).endswith(("HTTP 401", "HTTP 403")):
            raise
        return "nobody without a token"
    socket.close()
    raise ValueError("somebody without a token came in")


class _Run:
    def __init__(self, clock: Callable[[], float], nonce: str, echo: bool, max_chars: int) -> None:
        self._clock = clock
        self._nonce = nonce
        self._echo = echo
        self._open: list[_Frames] = []
        text = f"nwchatctl smoke test {nonce}"
        self._text = text if len(text) <= max_chars else nonce[:max_chars]
        self._id = ""

    def connect(self, connect: Callable[[], Socket]) -> str:
        for _ in range(2):
            self._open.append(_Frames(connect(), self._clock))
        return "two sockets open"

    def ping(self) -> str:
        self._say(0, {"action": "ping"})
        self._open[0].wait_for("pong", lambda frame: frame.get("type") == "pong")
        return "pong"

    def send(self) -> str:
        frame = {"action": "onMessage", "message": self._text, "uname": "nwchatctl", "sender_id": "nwchatctl"}
        self._say(0, {**frame, "client_id": self._nonce})
        return self._text

    def ack(self) -> str:
        ack = self._open[0].wait_for(
            "ack", lambda frame: frame.get("type") == "ack" and frame.get("client_id") == self._nonce
        )
        self._id = str(ack["id"])
        return f"stored as {self._id}"

    def echoed(self) -> str:
        listeners = self._open if self._echo else self._open[1:]
        for each in listeners:
            frame = each.wait_for("message", lambda frame: frame.get("id") == self._id)
            if frame.get("message") != self._text:
                raise ValueError(f"another text came back: {frame.get('message')!r}")
        return "both sockets have it" if self._echo else "the other socket has it"

    def history(self) -> str:
        self._say(1, {"action": "history", "limit": 20})
        page = self._open[1].wait_for("history", lambda frame: frame.get("type") == "history")
        ids = [each.get("id") for each in page["messages"]]
        if self._id not in ids:
            raise ValueError(f"not among the last {len(ids)} messages")
        return f"among the last {len(ids)} messages"

    def close(self) -> str:
        codes = {each.socket.close() for each in self._open}
        self._open.clear()
        if codes != {1000}:
            raise ValueError(f"closed with {', '.join(map(str, sorted(codes)))} instead of 1000")
        return "clean"

    def abandon(self) -> None:
        """Closes what a failed run left open."""
        while self._open:
            self._open.pop().socket.close()

    def _say(self, number: int, frame: dict[str, str | int]) -> None:
        self._open[number].socket.send(json.dumps(frame))
