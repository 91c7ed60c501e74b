"""What the sandbox lets through: the chat's own addresses, signed calls, its health."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from nwchatctl.sandbox import request_filter
from nwchatctl.sandbox.middleware import Message, Receive, Send
from nwchatctl.sandbox.request_filter import CUSTOM_DOMAIN, HEALTH, RequestFilter, Response

PORT = 4566
LOCAL = (b"host", b"127.0.0.1:4566")
CORS = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-expose-headers", b"*"), (b"date", b"now")]
REFUSED: Response = (403, {"Content-Type": "text/xml"}, b"<Error/>")


class FakeSignatures:
    """A request is signed correctly if its Authorization header is `good`."""

    def is_known(self, headers: Any) -> bool:
        return (b"authorization", b"good") in headers

    def refusal(self, scope: Message, body: bytes) -> Response | None:
        return None if self.is_known(scope["headers"]) else REFUSED


def ask(
    path: str = "/",
    *headers: tuple[bytes, bytes],
    type: str = "http",
    method: str = "POST",
    body: Sequence[bytes] = (b"",),
    domain: bool = False,
    leaves: bool = False,
) -> tuple[list[Message], bytes | None]:
    """What the filter sends, and the body that the app received, None if the request did not reach it."""
    parts: list[Message] = [
        {"type": "http.request", "body": each, "more_body": leaves or number < len(body) - 1}
        for number, each in enumerate(body)
    ]
    if leaves:
        parts.append({"type": "http.disconnect"})
    reached: list[bytes] = []
    sent: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        received = b""
        while type == "http":
            message = await receive()
            received += message["body"]
            if not message["more_body"]:
                break
        reached.append(received)
        await send({"type": "http.response.start", "status": 200, "headers": list(CORS)})

    async def receive() -> Message:
        return parts.pop(0) if type == "http" else {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Message = {"type": type, "method": method, "path": path, "headers": list(headers)}
    if domain:
        scope[CUSTOM_DOMAIN] = True
    made = RequestFilter(
        app,
        is_chat=lambda scope: scope["path"].startswith("/chat"),
        signatures=FakeSignatures(),
        is_our_port=lambda port: port == PORT,
    )
    asyncio.run(made(scope, receive, send))
    return sent, reached[0] if reached else None


GOOD = (b"authorization", b"good")


@pytest.mark.parametrize("host", [b"127.0.0.1:4566", b"localhost:4566", b"LOCALHOST:4566", b"[::1]:4566"])
def test_signed_call_to_this_machine_passes_without_cors(host: bytes) -> None:
    sent, body = ask("/", (b"host", host), GOOD, body=(b"Action=", b"ListUsers"))
    assert body == b"Action=ListUsers"
    assert sent[0]["headers"] == [(b"date", b"now")]


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (b"127.0.0.1",),
        (b"127.0.0.1:4567",),
        (b"localhost:",),
        (b"evil.example:4566",),
        (b"localhost.evil.example:4566",),
        (b"127.0.0.1.evil.example:4566",),
        (b"evil.example@127.0.0.1:4566",),
        (b"127.0.0.1:4566 ",),
        (b"127.0.0.1:4566\n",),
        (b"127.0.0.2:4566",),
        (b"2130706433:4566",),
        (b"0.0.0.0:4566",),
        (b"::1:4566",),
        ("127.0.0.1:٤٥٦٦".encode(),),
        (b"127.0.0.1:4566", b"127.0.0.1:4566"),
        (b"127.0.0.1:4566", b"evil.example"),
    ],
)
def test_other_host_is_refused(hosts: tuple[bytes, ...]) -> None:
    headers = [(b"host", each) for each in hosts]
    for path in ("/", HEALTH, "/chat"):
        sent, body = ask(path, *headers, GOOD)
        assert (sent[0]["status"], body) == (403, None)


@pytest.mark.parametrize(
    "header",
    [
        (b"origin", b"https://evil.example"),
        (b"origin", b"null"),
        (b"Origin", b"http://127.0.0.1:4566"),
        (b"sec-fetch-site", b"none"),
        (b"sec-fetch-mode", b"navigate"),
        (b"Sec-Fetch-Anything", b""),
    ],
)
def test_browser_reaches_only_the_chat(header: tuple[bytes, bytes]) -> None:
    for path in ("/", HEALTH):
        for method in ("GET", "POST", "OPTIONS"):
            sent, body = ask(path, LOCAL, GOOD, header, method=method)
            assert (sent[0]["status"], body) == (403, None)
            assert not [name for name, _ in sent[0]["headers"] if name.startswith(b"access-control")]
    sent, body = ask("/chat", LOCAL, header, body=(b"x",))
    assert (sent[0]["headers"], body) == (CORS, b"x")
    assert ask("/chat", LOCAL, header, type="websocket")[1] == b""


def test_unsigned_call_is_refused_in_the_format_of_its_service() -> None:
    sent, body = ask("/", LOCAL, body=(b"Action=", b"CreateUser"))
    assert body is None
    assert sent[0]["status"] == 403
    headers = dict(sent[0]["headers"])
    assert (headers[b"content-type"], headers[b"content-length"]) == (b"text/xml", b"8")
    assert headers[b"date"].endswith(b"GMT")
    assert sent[1]["body"] == b"<Error/>"


def test_only_health_is_public() -> None:
    assert ask(HEALTH, LOCAL, method="GET")[1] == b""
    for path, method in (
        (HEALTH, "POST"),
        (HEALTH + "/", "GET"),
        ("/health", "GET"),
        ("/_ministack/x", "GET"),
    ):
        assert ask(path, LOCAL, method=method)[1] is None


def test_websocket_reaches_only_the_chat() -> None:
    sent, body = ask("/", LOCAL, GOOD, type="websocket")
    assert (sent, body) == ([{"type": "websocket.close", "code": 1008}], None)
    assert ask("/chat", (b"host", b"evil.example:4566"), type="websocket")[1] is None


def test_custom_domain_reaches_only_the_chat() -> None:
    host = (b"host", b"chat.example.com")
    assert ask("/chat", host, domain=True)[1] == b""
    for path in ("/", HEALTH):
        sent, body = ask(path, host, GOOD, domain=True)
        assert (sent[0]["status"], body) == (403, None)


def test_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_filter, "MAX_UNSIGNED_BODY_BYTES", 10)
    monkeypatch.setattr(request_filter, "MAX_BODY_BYTES", 20)
    for headers, fits, exceeds in (((LOCAL,), 10, 11), ((LOCAL, GOOD), 20, 21)):
        assert ask("/", *headers, body=(b"x" * fits,))[0][0]["status"] in (200, 403)
        sent, body = ask("/", *headers, body=(b"x" * (exceeds - 1), b"x", b"never read"))
        assert body is None
        assert json.loads(sent[1]["body"]) == {"message": "the request is too large"}


def test_client_that_leaves_is_not_served() -> None:
    assert ask("/", LOCAL, GOOD, body=(b"Action=",), leaves=True)[1] is None


def test_lifespan_passes() -> None:
    assert ask(type="lifespan")[1] == b""
