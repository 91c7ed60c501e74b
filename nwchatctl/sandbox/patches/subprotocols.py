"""What $connect responds: the subprotocol that it selects, and the status with which it refuses.

ministack accepts a connection without a subprotocol; API Gateway returns the function's header
`Sec-WebSocket-Protocol` (developer guide, "$connect routes that require a WebSocket subprotocol"), and a
browser closes a connection that selects none of those it offered. ministack refuses with 403 whatever the
function's status is; API Gateway passes the status to the client.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from nwchatctl.sandbox.middleware import App, Message, Receive, Send

_invoke = apigateway._invoke_ws_lambda

_subprotocol: ContextVar[str] = ContextVar("chosen_subprotocol", default="")
"""The subprotocol that the function selected for the connection of this task."""


_status: ContextVar[int] = ContextVar("status_of_function", default=200)
"""The status code that the function returned last in this task."""


def refuse_with(status: int) -> None:
    """Sets the status with which a handshake of this task is refused."""
    _status.set(status)


async def invoke(*args: Any, **options: Any) -> Any:
    """Invokes as ministack does, in the task that accepts the connection, and stores the selected
    subprotocol."""
    response = await _invoke(*args, **options)
    if isinstance(response, dict):
        _status.set(int(response.get("statusCode", 200)))
    headers = response.get("headers") if isinstance(response, dict) else None
    if isinstance(headers, dict):
        _subprotocol.set(next((v for k, v in headers.items() if k.lower() == "sec-websocket-protocol"), ""))
    return response


def with_subprotocol(app: App) -> App:
    """`app`, which accepts a connection with the selected subprotocol if the client offered it."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        accepted = False

        async def send_with_subprotocol(message: Message) -> None:
            nonlocal accepted
            accepted = accepted or message["type"] == "websocket.accept"
            refused = message["type"] == "websocket.close" and not accepted and _status.get() >= 300
            if refused and "websocket.http.response" in (scope.get("extensions") or {}):
                headers = [(b"content-type", b"application/json")]
                await send(
                    {"type": "websocket.http.response.start", "status": _status.get(), "headers": headers}
                )
                message = {"type": "websocket.http.response.body", "body": b'{"message":"refused"}'}
            if message["type"] == "websocket.accept" and _subprotocol.get() in scope["subprotocols"]:
                message = {**message, "subprotocol": _subprotocol.get()}
            await send(message)

        await app(scope, receive, send_with_subprotocol if scope["type"] == "websocket" else send)

    return application


def install() -> None:
    apigateway._invoke_ws_lambda = invoke
