"""Connections and requests as API Gateway's data plane handles them: throttling, connection ids and
@connections.

ministack throttles nothing, its connection ids are hexadecimal, each of its events has the time of the event
as `connectedAt`, and its GetConnection writes `ConnectedAt` where the service model has `connectedAt`.
Sources: the rules in `nwchatctl.sandbox.rules`.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from ministack.services import apigateway

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.middleware import SOCKET, ClientSocket, Message, Receive, Send, exceeds
from nwchatctl.sandbox.throttles import Throttles

TOO_MANY = "Too Many Requests"
"""API Gateway's text for a throttled request (developer guide, gateway response types: THROTTLED)."""

Response = tuple[int, dict[str, str], bytes]
Handle = Callable[..., Awaitable[Any]]

_new_uuid = apigateway.new_uuid
_first_characters = cycle("L-d_")
"""AWS's ids begin with a letter, a digit, - or _ at random. In turn here, so that each run of the tests has
ids of every kind."""

_throttles = Throttles()
_sockets: dict[str, ClientSocket] = {}
"""The open connections by their ids."""
_connection_id: ContextVar[str | None] = ContextVar("connection_id", default="")
"""The id of this task's connection; None before it has one, "" outside of a connection."""


_connected_at: ContextVar[int] = ContextVar("connected_at", default=0)
"""When this task's client asked for its connection, in epoch ms."""


# Connection ids -----------------------------------------------------------------------------------


class _WholeId(str):
    """An id from which ministack cannot take the dashes."""

    __slots__ = ()

    def replace(self, *_: Any, **__: Any) -> str:
        return str(self)


def connection_id() -> str:
    """An id like `L0SM9cOFvHcCIhw=`: 11 bytes in base64url (examples of the developer guide)."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
    return next(_first_characters) + text[1:]


def new_uuid() -> str:
    """ministack's UUID; in a new connection, first an id as API Gateway makes them."""
    if _connection_id.get() is not None:
        return str(_new_uuid())
    made = connection_id() if limits.current().on("connection_id_form") else _new_uuid().replace("-", "")[:16]
    _connection_id.set(made)
    return _WholeId(made)


# Connections --------------------------------------------------------------------------------------


def with_throttling(handle: Handle) -> Handle:
    """ministack's handler of a WebSocket connection, with API Gateway's limits."""

    async def handle_websocket(
        scope: Message, receive: Receive, send: Send, api_id: str, path_override: str | None = None
    ) -> None:
        connection = _Connection(scope, receive, send, api_id, path_override)
        if not connection.is_accepted():
            await connection.refuse()
            return
        _connection_id.set(None)
        _connected_at.set(time.time_ns() // 1_000_000)
        try:
            await handle(scope, connection.receive, connection.send, api_id, path_override=path_override)
        finally:
            _sockets.pop(_connection_id.get() or "", None)

    return handle_websocket


class _Connection:
    """One connection to a stage of a WebSocket API, between the client and ministack."""

    def __init__(
        self, scope: Message, receive: Receive, send: Send, api_id: str, path_override: str | None
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._api_id = api_id
        _, account, region = apigateway._api_owner(api_id) or ("", "", "")
        self._api: dict[str, Any] = apigateway._apis.get_scoped(account, region, api_id) or {}
        self._stages: dict[str, Any] = apigateway._stages.get_scoped(account, region, api_id, {})
        path = scope.get("path", "") if path_override is None else path_override
        first = path.lstrip("/").partition("/")[0]
        self._stage = first if first in self._stages else "$default"

    def is_accepted(self) -> bool:
        """Whether the limits accept a new connection."""
        now = time.monotonic()
        return (
            _throttles.accept_connection(now)
            and _throttles.accept_request(now)
            and self._accept_route("$connect", now)
        )

    async def refuse(self) -> None:
        await self._receive()
        await apigateway._refuse_ws_handshake(
            self._scope, self._send, 429, TOO_MANY, connection_id(), _new_uuid()
        )

    async def receive(self) -> Message:
        """The next message that the limits accept; the others get an error frame. What a client has sent
        before its connection was deleted, and ministack has not read yet, reaches no function."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            if self._is_deleted():
                continue
            if self._is_message_accepted(message):
                return message
            await self._send({"type": "websocket.send", "text": error_frame(_connection_id.get() or "")})

    async def send(self, message: Message) -> None:
        socket, own_id = self._scope.get(SOCKET), _connection_id.get()
        if message["type"] == "websocket.accept" and socket is not None and own_id:
            _sockets[own_id] = socket
        await self._send(message)

    def _is_deleted(self) -> bool:
        own_id = _connection_id.get()
        return own_id in _sockets and own_id not in apigateway._ws_connections

    def _is_message_accepted(self, message: Message) -> bool:
        now = time.monotonic()
        return _throttles.accept_request(now) and self._accept_route(self._route_key(message), now)

    def _accept_route(self, route_key: str, now: float) -> bool:
        stage = self._stages.get(self._stage) or {}
        return _throttles.accept_route(self._api_id, self._stage, stage, route_key, now)

    def _route_key(self, message: Message) -> str:
        """The route of a message. Read only where a route has settings of its own."""
        if not (self._stages.get(self._stage) or {}).get("routeSettings"):
            return ""
        text = message.get("text")
        payload = (message.get("bytes") or b"").decode("utf-8", "replace") if text is None else text
        key = apigateway._evaluate_route_selection(self._api.get("routeSelectionExpression") or "", payload)
        route = apigateway._match_ws_route(self._api_id, key)
        return str((route or {}).get("routeKey", ""))


def error_frame(own_id: str) -> str:
    """What the client of a throttled message receives, in the form of API Gateway's other error frames. The
    connection stays open."""
    return json.dumps({"message": TOO_MANY, "connectionId": own_id, "requestId": _new_uuid()})


def with_time_of_connection(context: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """ministack's `requestContext` of an event, with the time of the connection, which is the same in all of
    its events (developer guide, "$context variables": `connectedAt`)."""

    def request_context(*arguments: Any, **options: Any) -> dict[str, Any]:
        made = context(*arguments, **options)
        return {**made, "connectedAt": _connected_at.get() or made["connectedAt"]}

    return request_context


def with_context_variables(invoke: Handle) -> Handle:
    """ministack's invocation of a route, with the variables of a MOCK integration's response template that
    it leaves alone: `$context.connectionId` (developer guide, WebSocket mapping template reference)."""

    async def invoke_route(
        api_id: str, account: str, region: str, route: Any, *rest: Any, **options: Any
    ) -> Any:
        response = await invoke(api_id, account, region, route, *rest, **options)
        body = response.get("body") if isinstance(response, dict) else None
        if isinstance(body, str) and "$context.connectionId" in body:
            integration_id = str(route.get("target", "")).rpartition("/")[2]
            integration = apigateway._integrations.get(api_id, {}).get(integration_id) or {}
            if integration.get("integrationType") == "MOCK":
                return {**response, "body": body.replace("$context.connectionId", _connection_id.get() or "")}
        return response

    return invoke_route


# @connections and HTTP APIs -----------------------------------------------------------------------


def _error(status: int, name: str) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": name}
    return status, headers, json.dumps({"message": name}).encode()


def with_limits(handle: Handle) -> Handle:
    """ministack's handler of @connections, with API Gateway's limits and responses."""

    async def handle_connections_api(
        method: str, api_id: str, stage: str, connection_id: str, body: bytes, headers: Any
    ) -> Response:
        if not _throttles.accept_request(time.monotonic()):
            return _error(429, "LimitExceededException")
        if method == "POST" and exceeds("post_payload", len(body)):
            return _error(413, "PayloadTooLargeException")
        response: Response = await handle(method, api_id, stage, connection_id, body, headers)
        if response[0] == 410 and not limits.current().on("connection_gone"):
            return (204, {}, b"") if method == "DELETE" else (200, {}, b"{}")
        if method == "GET" and response[0] == 200 and limits.current().on("connection_fields"):
            return 200, response[1], as_model(response[2], _sockets.get(connection_id))
        return response

    return handle_connections_api


def as_model(body: bytes, socket: ClientSocket | None) -> bytes:
    """A response of GetConnection as the service model says: times in ISO 8601, and names in lower camel
    case."""
    identity = json.loads(body).get("Identity") or {}
    timer, now, clock = socket and socket.timer, time.time(), time.monotonic()
    return json.dumps(
        {
            "connectedAt": _iso(now - (clock - timer.opened_at if timer else 0)),
            "identity": {
                "sourceIp": identity.get("sourceIp", ""),
                "userAgent": identity.get("userAgent", ""),
            },
            "lastActiveAt": _iso(now - (clock - timer.active_at if timer else 0)),
        }
    ).encode()


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_throttled_requests(handle: Handle) -> Handle:
    """ministack's handler of HTTP APIs, with the limits of account and stage."""

    async def handle_execute(api_id: str, stage: str, *rest: Any, **options: Any) -> Any:
        account, region = apigateway.find_api_scope(api_id) or ("", "")
        found = apigateway._stages.get_scoped(account, region, api_id, {}).get(stage) or {}
        now = time.monotonic()
        if not (_throttles.accept_request(now) and _throttles.accept_route(api_id, stage, found, "", now)):
            return 429, {"Content-Type": "application/json"}, json.dumps({"message": TOO_MANY}).encode()
        return await handle(api_id, stage, *rest, **options)

    return handle_execute


def install() -> None:
    """Install after the other patches of connections, which this one goes around."""
    apigateway.new_uuid = new_uuid
    apigateway.handle_websocket = with_throttling(apigateway.handle_websocket)
    apigateway._ws_request_context = with_time_of_connection(apigateway._ws_request_context)
    apigateway._invoke_ws_lambda = with_context_variables(apigateway._invoke_ws_lambda)
    apigateway.handle_connections_api = with_limits(apigateway.handle_connections_api)
    apigateway.handle_execute = with_throttled_requests(apigateway.handle_execute)
