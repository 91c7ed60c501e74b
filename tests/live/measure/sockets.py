"""Questions about connections: their ids, @connections, close codes and throttling."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.live.run import Run, TimeExceeded, status_of

STAGE = "production"

OPEN_SECONDS = 30.0
"""The handshake waits for the $connect function, which may have a cold start."""

ANSWER_SECONDS = 10.0

CLOSED_SECONDS = 10.0
"""How long @connections may take to learn that a connection is closed."""

QUIET_SECONDS = 1.0
"""How long is waited for a frame that should not come."""

IDS = 10
"""Connections whose ids are looked at."""

TOO_LONG_FRAME = 32 * 1024 + 1
TOO_LONG_POST = 128 * 1024 + 1

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+=")


class Refused(Exception):
    """The handshake was refused with `status`, or failed (0)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the handshake was refused with HTTP {status}")
        self.status = status


class Socket:
    """A client's connection. Closed at the end of a `with` block."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, frame: str | bytes) -> None:
        self._connection.send(frame)

    def receive(self, seconds: float) -> str:
        """The next frame, "" if there is none or the connection is closed."""
        try:
            return str(self._connection.recv(timeout=seconds))
        except (TimeoutError, ConnectionClosed):
            return ""

    def received(self, seconds: float) -> list[str]:
        """The frames that come within so many seconds after each other."""
        found = []
        while frame := self.receive(seconds):
            found.append(frame)
        return found

    def id(self) -> str:
        """The connection's id, as the probe function posts it; "" if it does not."""
        self.send("id")
        return self.receive(ANSWER_SECONDS)

    def close_code(self, seconds: float) -> str:
        """The code with which the connection is closed within so many seconds, 1005 for a close frame
        without a code, 1006 without a close frame; `open` if it stays open."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._connection.recv(timeout=left)
            except TimeoutError:
                break
            except ConnectionClosed:
                return received_code(self._connection)
        return "open"

    def close(self) -> str:
        """Closes the connection with 1000; the code of the answer."""
        self._connection.close()
        return received_code(self._connection)


def received_code(connection: ClientConnection) -> str:
    """The code in the close frame that the client received; 1006 without one."""
    received = connection.protocol.close_rcvd
    return str(received.code) if received else "1006"


def open_socket(url: str) -> Socket:
    """Connects. Raises Refused and OSError."""
    # The sandbox is on this machine; AWS may be reached through the operator's proxy.
    proxy: Literal[True] | None = True if url.startswith("wss:") else None
    try:
        return Socket(connect(url, proxy=proxy, open_timeout=OPEN_SECONDS, close_timeout=5, compression=None))
    except InvalidStatus as error:
        raise Refused(error.response.status_code) from None
    except (InvalidHandshake, EOFError, TimeoutError):
        raise Refused(0) from None


def measure_sockets(run: Run) -> None:
    """Ids, the answers of @connections, and close codes."""
    url = run.target.location.websocket_url(run.shared["api"], STAGE)
    _measure_ids(run, url)
    calls = _connections(run)
    _measure_calls(run, url, calls)
    _measure_closes(run, url, calls)
    try:
        open_socket(f"{url}?post=1").close()
        run.answer("post-inside-connect", "200")
    except Refused as error:
        run.answer("post-inside-connect", str(error.status))


def _connections(run: Run) -> Any:
    """An administrator's client of @connections, which makes each call once."""
    endpoint = run.target.location.connections_url(run.shared["api"], STAGE)
    return run.target.client("apigatewaymanagementapi", retries=False, url=endpoint)


def _measure_ids(run: Run, url: str) -> None:
    ids = []
    for _ in range(IDS):
        with open_socket(url) as socket:
            ids.append(socket.id())
    run.answer("id-form", id_form(ids))
    run.answer("id-first-character", "yes" if any(each[:1] in ("-", "_") for each in ids) else "no")
    run.shared["id form"] = id_details(ids)


def id_form(ids: Iterable[str]) -> str:
    """Whether connection ids are as the sandbox makes them. Pure.

    >>> id_form(["L0SM9cOFvHcCIhw="]), id_form(["4f1d2c"])
    ('base64 with = at the end', 'another form')
    """
    return "base64 with = at the end" if all(map(_BASE64.fullmatch, ids)) else "another form"


def id_details(ids: list[str]) -> dict[str, Any]:
    """The characters and lengths of ids, without the ids. Pure."""
    other = sorted({character for each in ids for character in each if not character.isalnum()})
    return {
        "lengths": sorted({len(each) for each in ids}),
        "other_characters": "".join(other),
        "begin_with_dash_or_underscore": sum(each[:1] in ("-", "_") for each in ids),
        "ids": len(ids),
    }


def _measure_calls(run: Run, url: str, calls: Any) -> None:
    with open_socket(url) as socket:
        connection = socket.id()
        run.answer("get-fields", fields(calls.get_connection(ConnectionId=connection)))
        data = b"x" * TOO_LONG_POST
        run.answer(
            "post-too-large",
            status_of(lambda: calls.post_to_connection(ConnectionId=connection, Data=data)),
        )
    closed = {"ConnectionId": connection}
    # The post first: until AWS knows that the client has left, it may take the frame.
    began = time.monotonic()
    run.answer("post-closed", _once_closed(run, lambda: calls.post_to_connection(Data=b"x", **closed)))
    run.shared["closed after"] = round(time.monotonic() - began, 2)
    run.answer("get-closed", _once_closed(run, lambda: calls.get_connection(**closed)))
    run.answer("delete-closed", _once_closed(run, lambda: calls.delete_connection(**closed)))


def _once_closed(run: Run, call: Callable[[], Any]) -> str:
    """The status of a call about a closed connection: 410, or the last one after CLOSED_SECONDS."""
    status = ""

    def is_gone() -> bool:
        nonlocal status
        status = status_of(call)
        return status == "410"

    with suppress(TimeExceeded):
        run.until(is_gone, seconds=CLOSED_SECONDS, every=0.1, what="the end of a connection")
    return status


def fields(answer: dict[str, Any]) -> str:
    """The names of the fields of GetConnection's answer, without values. Pure.

    >>> fields({"ConnectedAt": 1, "Identity": {"UserAgent": "x", "SourceIp": "y"}, "ResponseMetadata": {}})
    'connectedAt identity(sourceIp userAgent)'
    """

    def name(key: str) -> str:
        return key[:1].lower() + key[1:]

    shown = []
    for key, value in sorted(answer.items()):
        if key == "ResponseMetadata":
            continue
        inner = f"({' '.join(sorted(map(name, value)))})" if isinstance(value, dict) else ""
        shown.append(name(key) + inner)
    return " ".join(shown) or "none"


def _measure_closes(run: Run, url: str, calls: Any) -> None:
    with open_socket(url) as socket:
        calls.delete_connection(ConnectionId=socket.id())
        run.answer("close-by-delete", socket.close_code(ANSWER_SECONDS))
    run.answer("close-by-client", open_socket(url).close())
    for question, frame in (("close-too-big", "x" * TOO_LONG_FRAME), ("close-binary", b"x")):
        with open_socket(url) as socket, suppress(ConnectionClosed):
            socket.send(frame)
            run.answer(question, socket.close_code(ANSWER_SECONDS))


# Throttling ---------------------------------------------------------------------------------------

FRAMES, POSTS = 60, 30


def measure_throttling(run: Run) -> None:
    """A stage that is limited to one request/s: whether frames and @connections calls are throttled."""
    made = run.shared["api"]
    url = run.target.location.websocket_url(made, STAGE)
    limits = {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 1}
    with open_socket(url) as socket:
        connection = socket.id()
        run.client("apigatewayv2").update_stage(ApiId=made, StageName=STAGE, DefaultRouteSettings=limits)
        seconds = 0.0 if run.target.sandbox else 60.0
        frame = _throttled_frame(run, socket, seconds)
        run.answer("throttle-messages", "yes" if frame else "no")
        run.answer("throttle-frame", error_form(frame) if frame else "none")
        calls = _connections(run)

        def post(_: int) -> str:
            return status_of(lambda: calls.post_to_connection(ConnectionId=connection, Data=b"x"))

        with ThreadPoolExecutor(POSTS) as pool:
            statuses = list(pool.map(post, range(POSTS)))
    if others := set(statuses) - {"200", "429"}:
        raise RuntimeError(f"@connections answered {', '.join(sorted(others))}")
    run.answer("throttle-posts", "yes" if "429" in statuses else "no")


def _throttled_frame(run: Run, socket: Socket, seconds: float) -> str:
    """The first frame that says so when frames are throttled; "" if none does within `seconds`, which a stage
    may need to take up its settings."""
    end = min(time.monotonic() + seconds, run.deadline)
    while True:
        with suppress(ConnectionClosed):
            for _ in range(FRAMES):
                socket.send("x")
        for each in socket.received(QUIET_SECONDS):
            if "Too Many Requests" in each or "Limit Exceeded" in each:
                return each
        if time.monotonic() >= end:
            return ""
        time.sleep(5)


def error_form(frame: str) -> str:
    """The text and the field names of an error frame of API Gateway, without the values of the fields. Pure.

    >>> error_form('{"message": "Forbidden", "requestId": "b", "connectionId": "a"}')
    'Forbidden (connectionId requestId)'
    """
    try:
        found = json.loads(frame)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return "another form"
    return f"{found.pop('message', '')} ({' '.join(sorted(found))})"
