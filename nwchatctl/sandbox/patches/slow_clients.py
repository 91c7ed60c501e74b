"""A bounded buffer for each WebSocket client, and a DELETE that closes a client that does not read.

ministack queues without bound what is posted to a connection, answers 200 to every post, and its DELETE waits
until the client has read everything. API Gateway answers 429 with LimitExceededException when "the WebSocket
client side buffer is full", and DELETE disconnects the client (API reference of PostToConnection and
DeleteConnection).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from ministack.services import apigateway

from nwchatctl.sandbox.middleware import CLOSE_SECONDS

BUFFER_BYTES = 128 * 1024
"""The size of a client's buffer. API Gateway's is not documented; this is the smallest that accepts every
payload. What the socket's own buffers hold comes on top."""

_writer: ContextVar[asyncio.StreamWriter | None] = ContextVar("writer", default=None)
"""The stream to the client of this task."""
_run = TCPServer.run
_handle = apigateway.handle_connections_api

Response = tuple[int, dict[str, str], bytes]

LIMIT_EXCEEDED: Response = (
    429,
    {"Content-Type": "application/json", "x-amzn-ErrorType": "LimitExceededException"},
    json.dumps({"message": "LimitExceededException"}).encode(),
)


class Connections(dict[str, dict[str, Any]]):
    """ministack's connections by their ids, each with the stream to its client."""

    def __setitem__(self, connection_id: str, record: dict[str, Any]) -> None:
        record["writer"] = _writer.get()
        super().__setitem__(connection_id, record)


def is_full(record: Mapping[str, Any], body: bytes) -> bool:
    """Whether the connection's buffer has no room for `body`."""
    unread = sum(len(each.encode()) for each in record["outbox"]._queue if each is not None)
    # An empty buffer accepts every payload that the rule `post_payload` lets through.
    return bool(unread + len(body) > max(BUFFER_BYTES, len(body)))


def abort_client() -> Callable[[], None]:
    """What drops the connection of this task's client at once."""
    writer = _writer.get()
    return (lambda: None) if writer is None else writer.transport.abort


async def run(server: Any) -> None:
    """Serves one client, whose stream its tasks can find."""
    _writer.set(server.writer)
    await _run(server)


async def handle_connections_api(
    method: str, api_id: str, stage: str, connection_id: str, body: bytes, headers: Any
) -> Response:
    """@connections, with a bounded buffer. A deleted connection ends even when its client does not read."""
    record = apigateway._ws_connections.get(connection_id)
    own = record is not None and record["apiId"] == api_id
    if own and method == "POST" and is_full(record, body):
        return LIMIT_EXCEEDED
    response: Response = await _handle(method, api_id, stage, connection_id, body, headers)
    if own and method == "DELETE" and record["writer"] is not None:
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, record["writer"].transport.abort)
    return response


def install() -> None:
    hypercorn: Any = TCPServer
    hypercorn.run = run
    apigateway._ws_connections = Connections()
    apigateway.handle_connections_api = handle_connections_api
