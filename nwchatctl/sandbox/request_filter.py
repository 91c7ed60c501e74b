"""An ASGI app in front of ministack that lets only two kinds of requests through: those to the chat's own
addresses (a WebSocket API, an HTTP API), which are public on AWS too, and correctly signed calls to AWS.

ministack answers anything that reaches its port: a web page that the operator visits can reach it, and so
can every other user of the machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any, Protocol

from nwchatctl.sandbox.middleware import App, Message, Receive, Send

Headers = Iterable[tuple[bytes, bytes]]
Response = tuple[int, dict[str, str], bytes]

HEALTH = "/_ministack/health"

MAX_UNSIGNED_BODY_BYTES = 1024 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
"""More than a function's zip in base64 (Lambda quotas: 50 MB), so that no caller fills the memory."""

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})", re.I)

CUSTOM_DOMAIN = "nwchat.custom_domain"
"""Set in the scope by `CustomDomains`: the Host is a domain that is mapped to the chat."""


class SignatureCheck(Protocol):
    """What the filter needs to know from the emulator."""

    def is_known(self, headers: Headers) -> bool:
        """Whether the request names an access key that exists."""

    def refusal(self, scope: Message, body: bytes) -> Response | None:
        """The response to a call that is not signed correctly; None if it is."""


def is_loopback(headers: Headers, is_our_port: Callable[[int], bool]) -> bool:
    """Whether the only Host header names this machine and our port. A page whose DNS name was pointed at
    127.0.0.1 (DNS rebinding) sends that name."""
    hosts = [value for name, value in headers if name.lower() == b"host"]
    found = _LOOPBACK.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    return found is not None and is_our_port(int(found[1]))


def is_from_browser(headers: Headers) -> bool:
    """Whether a browser sent the request: only browsers send Origin and Sec-Fetch-*, and no page can remove
    them (Fetch standard, "forbidden request-header")."""
    names = {name.lower() for name, _ in headers}
    return b"origin" in names or any(name.startswith(b"sec-fetch-") for name in names)


class RequestFilter:
    """Refuses with 403 what is neither for the chat's own addresses nor signed.

    `is_chat` says whether a request goes to an address of the chat; `is_our_port` whether a port in a Host
    header is this sandbox's.
    """

    def __init__(
        self,
        app: App,
        *,
        is_chat: Callable[[Message], bool],
        signatures: SignatureCheck,
        is_our_port: Callable[[int], bool],
    ) -> None:
        self._app = app
        self._is_chat = is_chat
        self._signatures = signatures
        self._is_our_port = is_our_port

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        local = is_loopback(scope["headers"], self._is_our_port)
        if self._is_chat(scope) and (local or scope.get(CUSTOM_DOMAIN)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif not local or is_from_browser(scope["headers"]):
            await _refuse(receive, send, _forbidden("only local programs may call the sandbox"))
        elif (scope["method"], scope["path"]) == ("GET", HEALTH):
            await self._app(scope, receive, _without_cors(send))
        else:
            await self._call_aws(scope, receive, send)

    async def _call_aws(self, scope: Message, receive: Receive, send: Send) -> None:
        known = self._signatures.is_known(scope["headers"])
        body = await _read(receive, MAX_BODY_BYTES if known else MAX_UNSIGNED_BODY_BYTES)
        if body is None:
            await _respond(send, _forbidden("the request is too large"))
        elif refused := self._signatures.refusal(scope, body):
            await _respond(send, refused)
        else:
            await self._app(scope, _replayed(body, receive), _without_cors(send))


def _forbidden(message: str) -> Response:
    return 403, {"content-type": "application/json"}, json.dumps({"message": message}).encode()


async def _refuse(receive: Receive, send: Send, response: Response) -> None:
    # Read first: a connection that is closed with unread data is reset, and the response is lost.
    await _read(receive, MAX_UNSIGNED_BODY_BYTES)
    await _respond(send, response)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body; None if it is longer than `limit` bytes or the client has disconnected."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(send: Send, response: Response) -> None:
    status, headers, body = response
    # hypercorn adds no date here, and the tool reads AWS's clock from it.
    named = {**headers, "content-length": str(len(body)), "date": formatdate(usegmt=True)}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body, which was read already, and then what the client does next."""
    read = False

    async def replay() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _without_cors(send: Send) -> Send:
    """AWS's endpoints allow no page to read their responses; ministack allows every page."""

    async def send_without_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = message.get("headers", ())
            kept = [each for each in headers if not each[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without_cors
