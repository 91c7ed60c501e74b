"""The subprotocol that $connect chooses. ministack accepts a socket without any; API Gateway passes on what
the function answers as `Sec-WebSocket-Protocol` (developer guide, "$connect routes that require a WebSocket
subprotocol"), and a browser closes a socket that answers none of those it offered."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from nwchatctl.sandbox.middleware import App, Message, Receive, Send

_invoke = apigateway._invoke_ws_lambda

_subprotocol: ContextVar[str] = ContextVar("chosen_subprotocol", default="")
"""What the function of this socket's task has answered."""


async def invoke(*args: Any, **options: Any) -> Any:
    """As ministack's, which runs a socket's events in the task that accepts it."""
    response = await _invoke(*args, **options)
    headers = response.get("headers") if isinstance(response, dict) else None
    if isinstance(headers, dict):
        _subprotocol.set(next((v for k, v in headers.items() if k.lower() == "sec-websocket-protocol"), ""))
    return response


def with_subprotocol(app: App) -> App:
    """`app`, which accepts a socket with what was chosen for it, if the client has offered that."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        async def send_with_subprotocol(message: Message) -> None:
            if message["type"] == "websocket.accept" and _subprotocol.get() in scope["subprotocols"]:
                message = {**message, "subprotocol": _subprotocol.get()}
            await send(message)

        await app(scope, receive, send_with_subprotocol if scope["type"] == "websocket" else send)

    return application


def install() -> None:
    apigateway._invoke_ws_lambda = invoke
