from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from wsproto.events import TextMessage

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.middleware import (
    LARGEST_FRAME,
    MESSAGE_SIZE,
    Message,
    Middleware,
    Receive,
    Send,
    close_code,
    may_write,
    replace_surrogates,
)
from nwchatctl.sandbox.patches.websocket_frames import FrameBuffer

WEBSOCKET: Message = {"type": "websocket", "path": "/"}


class Client:
    """A browser as an ASGI server shows it: what it sends is queued, what it gets is kept."""

    def __init__(self, *frames: Message) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.got: list[Message] = []
        for frame in frames:
            self.inbox.put_nowait(frame)

    async def receive(self) -> Message:
        return await self.inbox.get()

    async def send(self, message: Message) -> None:
        self.got.append(message)


class Chat:
    """An app that takes every socket and answers a text with itself, until it hears a disconnect."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.open = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.open.set()
        while True:
            message = await receive()
            self.heard.append(message)
            if message["type"] == "websocket.disconnect":
                await send({"type": "websocket.send", "text": "too late"})
                return
            await send({"type": "websocket.send", "text": message["text"]})


def text(value: str, **more: Any) -> Message:
    return {"type": "websocket.receive", "text": value, "bytes": None, **more}


@pytest.fixture(autouse=True)
def _aws_values() -> Iterator[None]:
    yield
    limits.set_current(RuleValues())


CONNECT: Message = {"type": "websocket.connect"}
GONE: Message = {"type": "websocket.disconnect", "code": 1006}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (text("x" * 32768), None),
        (text("x" * 32769), 1009),
        (text("é" * 16385), 1009),
        (text("x" * 100_000, **{LARGEST_FRAME: 32_000}), None),
        (text("x" * 131_073, **{LARGEST_FRAME: 32_000}), 1009),
        (text("", **{LARGEST_FRAME: 40_000}), 1009),
        (text("x", **{LARGEST_FRAME: 1, MESSAGE_SIZE: 131_073}), 1009),
        (text(""), None),
        ({"type": "websocket.receive", "text": None, "bytes": b""}, 1003),
    ],
)
def test_what_aws_refuses(frame: Message, code: int | None) -> None:
    assert close_code(frame) == code


@pytest.mark.parametrize(
    ("rule", "frame"),
    [
        ("frame_size", text("x" * 32_769)),
        ("message_size", text("x" * 131_073, **{LARGEST_FRAME: 32_000})),
        ("binary_frames", {"type": "websocket.receive", "text": None, "bytes": b"x"}),
    ],
)
def test_what_aws_refuses_is_accepted_when_its_rule_is_off(rule: str, frame: Message) -> None:
    assert close_code(frame) is not None
    limits.set_current(RuleValues(chosen={rule: None}))
    assert close_code(frame) is None


@pytest.mark.parametrize("rule", ["idle_timeout", "connection_lifetime"])
def test_an_old_or_idle_connection_ends_with_1001(rule: str) -> None:
    limits.set_current(RuleValues(chosen={rule: 0.01}))
    aborted: list[str] = []

    async def scenario() -> None:
        chat = Chat()
        client = Client(CONNECT)
        door = Middleware(chat, abort_client=lambda: lambda: aborted.append("client"))
        await asyncio.wait_for(door(WEBSOCKET, client.receive, client.send), 5)
        assert client.got[1:] == [{"type": "websocket.close", "code": 1001, "reason": "Going away"}]
        assert chat.heard == [{"type": "websocket.disconnect", "code": 1001, "reason": "Going away"}]
        await asyncio.sleep(0)
        assert not aborted, "the client has time to read the close frame"

    asyncio.run(scenario())


@pytest.mark.parametrize("frame", [text("x" * 40_000), {"type": "websocket.receive", "bytes": b"\x00"}])
def test_a_refused_frame_ends_its_socket_and_no_other(frame: Message) -> None:
    async def scenario() -> None:
        chat = Chat()
        door = Middleware(chat)
        bad, good = Client(CONNECT, frame), Client(CONNECT, text("hi"), GONE)
        code = 1003 if frame.get("bytes") else 1009
        await asyncio.gather(door(WEBSOCKET, bad.receive, bad.send), door(WEBSOCKET, good.receive, good.send))
        assert bad.got == [
            {"type": "websocket.accept"},
            {"type": "websocket.close", "code": code, "reason": ""},
        ]
        assert good.got[1] == {"type": "websocket.send", "text": "hi"}
        assert {"type": "websocket.disconnect", "code": code} in chat.heard

    asyncio.run(scenario())


def test_closing_ends_a_socket_that_waits_for_a_frame() -> None:
    async def scenario() -> None:
        chat = Chat()
        door = Middleware(chat)
        client = Client(CONNECT)
        session = asyncio.create_task(door(WEBSOCKET, client.receive, client.send))
        await chat.open.wait()
        await asyncio.sleep(0)
        await door.close(timeout=60)
        await session
        assert client.got[1:] == [{"type": "websocket.close", "code": 1012, "reason": ""}]
        assert chat.heard == [{"type": "websocket.disconnect", "code": 1012}]
        late = Client(CONNECT)
        await door(WEBSOCKET, late.receive, late.send)
        assert late.got == [{"type": "websocket.close", "code": 1012, "reason": ""}]

    asyncio.run(scenario())


def test_a_cancelled_app_stays_cancelled() -> None:
    async def scenario() -> None:
        chat = Chat()
        client = Client(CONNECT)
        session = asyncio.create_task(Middleware(chat)(WEBSOCKET, client.receive, client.send))
        await chat.open.wait()
        await asyncio.sleep(0)
        session.cancel()
        with pytest.raises(asyncio.CancelledError):
            await session

    asyncio.run(scenario())


def test_lone_surrogates_never_reach_the_wire() -> None:
    assert replace_surrogates("a\ud800b") == "a\ufffdb"
    assert replace_surrogates("\ud83d\ude00") == "\U0001f600"
    assert replace_surrogates("plain \U0001f600") == "plain \U0001f600"


def test_sandbox_is_idle_without_requests_and_sockets() -> None:
    async def scenario() -> None:
        now = [100.0]
        inside = asyncio.Event()
        leave = asyncio.Event()

        async def app(scope: Message, receive: Receive, send: Send) -> None:
            inside.set()
            await leave.wait()

        door = Middleware(app, clock=lambda: now[0])
        now[0] = 130.0
        assert door.idle_seconds() == 30.0
        client = Client()
        scope: Message = {"type": "http", "method": "GET", "path": "/", "headers": []}
        request = asyncio.create_task(door(scope, client.receive, client.send))
        await inside.wait()
        now[0] = 500.0
        assert door.idle_seconds() == 0.0
        leave.set()
        await request
        now[0] = 507.0
        assert door.idle_seconds() == 7.0

    asyncio.run(scenario())


def test_saving_is_asked_for_after_a_write_even_a_failed_one() -> None:
    async def scenario() -> None:
        writes: list[str] = []

        async def app(scope: Message, receive: Receive, send: Send) -> None:
            if scope["path"] == "/fails":
                raise RuntimeError

        door = Middleware(app, on_write=lambda: writes.append("write"))
        client = Client()

        async def ask(method: str, path: str) -> None:
            scope: Message = {"type": "http", "method": method, "path": path, "headers": []}
            await door(scope, client.receive, client.send)

        await ask("GET", "/")
        assert writes == []
        await ask("POST", "/")
        assert writes == ["write"]
        with pytest.raises(RuntimeError):
            await ask("POST", "/fails")
        assert writes == ["write", "write"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "target", "expected"),
    [
        ("GET", "/v2/apis", b"", False),
        ("DELETE", "/v2/apis/x", b"", True),
        ("POST", "/", b"DynamoDB_20120810.PutItem", True),
        ("POST", "/", b"DynamoDB_20120810.Query", False),
        ("POST", "/", b"DynamoDB_20120810.TransactWriteItems", True),
        ("POST", "/", b"DynamoDB_20120810.TransactGetItems", False),
        ("POST", "/", b"Logs_20140328.FilterLogEvents", False),
        ("POST", "/", b"", True),
        ("POST", "/_aws/execute-api/abc/production/@connections/1", b"", False),
    ],
)
def test_which_requests_may_write(method: str, path: str, target: bytes, expected: bool) -> None:
    headers = [(b"host", b"x"), *([(b"x-amz-target", target)] if target else [])]
    assert may_write(method, path, headers) is expected


def test_the_buffer_drops_what_no_rule_accepts() -> None:
    buffer = FrameBuffer(1 << 20)
    for _ in range(5):
        buffer.extend(TextMessage(data="x" * 30_000, frame_finished=True, message_finished=False))
    message = buffer.to_message()
    assert (len(message["text"]), message[LARGEST_FRAME], message[MESSAGE_SIZE]) == (120_000, 30_000, 150_000)
    assert close_code(message) == 1009


def test_the_buffer_tells_frames_of_one_message_apart() -> None:
    def event(data: str, *, frame: bool, message: bool) -> TextMessage:
        return TextMessage(data=data, frame_finished=frame, message_finished=message)

    buffer = FrameBuffer(1)
    buffer.max_length = 1 << 20
    buffer.extend(event("a" * 20_000, frame=False, message=False))
    buffer.extend(event("b" * 20_000, frame=True, message=True))
    assert buffer.to_message()[LARGEST_FRAME] == 40_000
    buffer.clear()
    for last in (False, False, True):
        buffer.extend(event("é" * 15_000, frame=True, message=last))
    message = buffer.to_message()
    assert (message[LARGEST_FRAME], len(message["text"])) == (30_000, 45_000)
    buffer.clear()
    buffer.extend(event("hi", frame=True, message=True))
    assert buffer.to_message() == {
        "type": "websocket.receive",
        "bytes": None,
        "text": "hi",
        LARGEST_FRAME: 2,
    }
