"""The smoke test: what is sent over two connections and the history API, what has to be received, and how
long each step takes.

It uses no network: sockets, requests and the clock are passed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from nwchat.model.identity import Identity
from nwchat.model.ids import first_ulid, ulid_time
from nwchat.model.subprotocol import SUBPROTOCOL
from nwchatctl.report import counted

WAIT = 10.0
"""The timeout of each step, in seconds: a cold start of a function takes one or two."""


CLEAN_CODES = frozenset({1000, 1001, 1005, 1006})
"""The close codes after this side's close frame that are no fault. It is not documented how API Gateway ends
a closing handshake: 1000, 1001, a close frame without a code (1005), and the end of the TCP connection
without a close frame (1006) are all possible."""

PAUSE = 0.5
"""Seconds between two reads of the history API."""

FIXES = {
    401: "the history API wants a token that this test has not",
    403: "whether its address or its default endpoint was switched off, nwchatctl plan says",
    404: "a route or its stage is missing: nwchatctl deploy repairs it",
    429: "more asked than history.request_rate and history.request_burst allow",
    500: "nwchatctl invoke history shows what it raises; nwchatctl deploy repairs what it may not do",
}
"""The likely cause of an HTTP status of the history API."""


@dataclass(frozen=True, slots=True)
class HistoryResponse:
    """An HTTP response."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class HistoryClient:
    """The history API: `get` requests a path with its query, with a timeout in seconds, and raises OSError
    without a response; `sleep` takes seconds."""

    get: Callable[[str, float], HistoryResponse]
    sleep: Callable[[float], None]
    get_without_token: Callable[[str, float], HistoryResponse] | None = None
    """As `get`, without a token, if that has to be refused."""


class ChatSocket(Protocol):
    """One connection to the chat."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the chat selected."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed the connection."""

    def send(self, text: str) -> None:
        """Sends one text frame."""

    def receive(self, seconds: float) -> str:
        """The next text frame. Raises TimeoutError, or SocketClosed."""

    def close(self) -> int:
        """Closes the connection; returns the close code of the other side, 1005 for a close frame without
        one and 1006 for none."""


class SocketClosed(Exception):
    """The other side closed the connection; the text has its code and reason. `status` is the HTTP status of
    a refused handshake, None after a successful one."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test: `detail` says what was received, or what was missing."""

    name: str
    ok: bool
    ms: float
    detail: str


@dataclass
class _Frames:
    """The frames of one connection. Frames that are not awaited yet are kept: order across kinds is not
    guaranteed."""

    socket: ChatSocket
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
    connect: Callable[[], ChatSocket],
    clock: Callable[[], float],
    nonce: str,
    *,
    echo: bool = True,
    max_chars: int = 1000,
    connect_without_token: Callable[[], ChatSocket] | None = None,
    identity: Identity | None = None,
    history: HistoryClient | None = None,
) -> Iterator[Step]:
    """Yields each step once it is done; ends after the first that failed.

    `nonce` makes this run's message and client id unique. `echo` and `max_chars` are the settings
    `chat.echo_to_sender` and `chat.max_message_chars`. `connect_without_token` connects without a token,
    which has to fail, and `identity` is that of the token which `connect` offers; `history` is the history
    API. Each is None if it does not apply.
    """
    run = _SmokeTest(clock, nonce, echo, max_chars, identity)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("connect", lambda: run.connect(connect)),
        *([("refuse", lambda: _check_refusal(connect_without_token))] if connect_without_token else []),
        ("ping", run.ping),
        ("send", run.send),
        ("ack", run.ack),
        ("echo", run.check_echo),
        ("history", run.history),
        ("close", run.close),
    ]
    if history is not None:
        steps += [("health", lambda: run.health(history)), ("messages", lambda: run.messages(history))]
        if (get_without_token := history.get_without_token) is not None:
            steps.append(("unread", lambda: _check_read_refusal(get_without_token)))
    try:
        for name, step in steps:
            started = clock()
            try:
                detail, ok = step(), True
            except (TimeoutError, SocketClosed, OSError, ValueError) as error:
                detail, ok = str(error) or type(error).__name__, False
            yield Step(name, ok, round((clock() - started) * 1000, 1), detail)
            if not ok:
                return
    finally:
        run.abandon()


def _check_refusal(connect: Callable[[], ChatSocket]) -> str:
    """Raises ValueError if a connection without a token is accepted, and SocketClosed for another refusal."""
    try:
        socket = connect()
    except SocketClosed as closed:
        if closed.status not in (401, 403):
            raise
        return "nobody without a token"
    socket.close()
    raise ValueError("somebody without a token came in")


def _check_read_refusal(get: Callable[[str, float], HistoryResponse]) -> str:
    """Raises ValueError if a request without a token does not get status 401."""
    status = get("/messages?limit=1", WAIT).status
    if status != 401:
        raise ValueError(f"somebody without a token was answered HTTP {status} instead of 401")
    return "nobody without a token"


class _SmokeTest:
    def __init__(
        self,
        clock: Callable[[], float],
        nonce: str,
        echo: bool,
        max_chars: int,
        identity: Identity | None,
    ) -> None:
        self._clock = clock
        self._nonce = nonce
        self._echo = echo
        self._identity = identity
        self._open: list[_Frames] = []
        text = f"nwchatctl smoke test {nonce}"
        self._text = text if len(text) <= max_chars else nonce[:max_chars]
        self._id = ""

    def connect(self, connect: Callable[[], ChatSocket]) -> str:
        for _ in range(2):
            socket = connect()
            self._open.append(_Frames(socket, self._clock))
            # A browser would close it. The selected value is not shown: it may be the token.
            if self._identity and socket.subprotocol != SUBPROTOCOL:
                raise ValueError(f"the chat did not choose the subprotocol {SUBPROTOCOL}")
        return "two sockets open"

    def ping(self) -> str:
        self._send_frame(0, {"action": "ping"})
        self._open[0].wait_for("pong", lambda frame: frame.get("type") == "pong")
        return "pong"

    def send(self) -> str:
        # With a token, another name is claimed, which the chat has to ignore.
        name = "nwchatctl" if self._identity is None else "somebody else"
        frame = {"action": "onMessage", "message": self._text, "uname": name, "sender_id": name}
        self._send_frame(0, {**frame, "client_id": self._nonce})
        return self._text

    def ack(self) -> str:
        ack = self._open[0].wait_for(
            "ack", lambda frame: frame.get("type") == "ack" and frame.get("client_id") == self._nonce
        )
        self._id = str(ack["id"])
        return f"stored as {self._id}"

    def check_echo(self) -> str:
        listeners = self._open if self._echo else self._open[1:]
        for each in listeners:
            frame = each.wait_for("message", lambda frame: frame.get("id") == self._id)
            if frame.get("message") != self._text:
                raise ValueError(f"another text came back: {frame.get('message')!r}")
            sender, identity = (frame.get("sender_id"), frame.get("uname")), self._identity
            if identity is not None and sender != (identity.sender_id, identity.uname):
                raise ValueError(f"it came as from {sender[0]!r}, who is not whom the token names")
        return "both sockets have it" if self._echo else "the other socket has it"

    def history(self) -> str:
        self._send_frame(1, {"action": "history", "limit": 20})
        page = self._open[1].wait_for("history", lambda frame: frame.get("type") == "history")
        ids = [each.get("id") for each in page["messages"]]
        if self._id not in ids:
            raise ValueError(f"not among the last {counted(len(ids), 'message')}")
        return f"among the last {counted(len(ids), 'message')}"

    def close(self) -> str:
        early = sum(not each.socket.is_open for each in self._open)
        codes = {each.socket.close() for each in self._open}
        self._open.clear()
        text = f"closed with {', '.join(map(str, sorted(codes)))}"
        if early:
            raise ValueError(f"the chat has closed {early} of 2 connections: {text}")
        if codes - CLEAN_CODES:
            raise ValueError(f"{text} instead of 1000")
        return "clean" if codes == {1000} else f"clean, {text}"

    def health(self, history: HistoryClient) -> str:
        found = _read(history.get("/health", WAIT))
        if found.get("status") != "ok":
            raise ValueError(f"GET /health says {json.dumps(found)[:200]}")
        return f"version {found.get('version')}"

    def messages(self, history: HistoryClient) -> str:
        """Reads the messages from the start of the id's millisecond: its own is among the first."""
        path = f"/messages?limit=20&after={first_ulid(ulid_time(self._id))}"
        deadline = self._clock() + WAIT
        while True:
            page = _read(history.get(path, max(deadline - self._clock(), 1.0)))
            ids = [each.get("id") for each in page.get("messages", ())]
            if self._id in ids:
                return "the history API has it"
            if self._clock() + PAUSE > deadline:
                raise TimeoutError(f"not in the history API within {WAIT:g} s: {FIXES[500]}")
            history.sleep(PAUSE)

    def abandon(self) -> None:
        """Closes the connections that a failed run left open."""
        while self._open:
            self._open.pop().socket.close()

    def _send_frame(self, number: int, frame: dict[str, str | int]) -> None:
        self._open[number].socket.send(json.dumps(frame))


def _read(response: HistoryResponse) -> dict[str, Any]:
    """The object in a response with status 200. Raises ValueError, with a fix, for another status."""
    if response.status != 200:
        fix = FIXES.get(response.status)
        raise ValueError(f"HTTP {response.status}: {response.body[:200]}{f'; {fix}' if fix else ''}")
    found = json.loads(response.body)
    if not isinstance(found, dict):
        raise ValueError(f"no JSON object: {response.body[:200]}")
    return found
