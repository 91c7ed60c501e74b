"""The part of DynamoDB that the benchmark needs: tables read page by page, and writes that succeed.

    python -m bench.message.dynamodb PORT

The number in its name is the size of a table. A Scan returns connections, in any number of segments; a Query
returns messages of one room, oldest first. A page has 1 MB, as on AWS, or `Limit` items.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

from bench.posts import tools
from bench.posts.contenders.common import connection_ids
from bench.posts.http_server import HttpServerProtocol
from bench.posts.server_process import free_ports, run_server
from nwchat.model.ids import ulid, ulid_time
from nwchat.model.rows import message_row
from nwchat.model.wire import Message

PAGE_BYTES = 1024 * 1024
CONNECTION_BYTES = 260
"""The size of a complete row in the table, which ends a page, whichever attributes are read."""
MESSAGE_BYTES = 300

_TARGET = re.compile(rb"^x-amz-target:\s*\w+\.(\w+)", re.I | re.M)
_NUMBER = re.compile(r"\d+")
_FIRST_MS = 1_764_021_600_000
# The year 2100: no row expires.
_EXPIRES_AT = 4_102_444_800


@contextmanager
def run_dynamodb() -> Iterator[str]:
    """Starts a server on the cores of the stub; yields its URL."""
    (port,) = free_ports(1)
    environ = {**os.environ, "PYTHONPATH": str(tools.BENCH.parent)}
    command = [sys.executable, "-m", "bench.message.dynamodb", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="nwchat-bench-") as folder,
        run_server(command, environ, Path(folder) / "output.txt", [port]),
    ):
        yield f"http://127.0.0.1:{port}"


class _DynamoDb(HttpServerProtocol):
    def handle_request(self, head: bytes, body: bytes) -> None:
        match = _TARGET.search(head)
        self.write(
            "Content-Type: application/x-amz-json-1.0",
            "x-amzn-RequestId: 0",
            f"Date: {formatdate(usegmt=True)}",
            body=response_body(match[1].decode() if match else "", json.loads(body or b"{}")),
        )


def response_body(operation: str, request: dict[str, Any]) -> bytes:
    """The body of the response to a request."""
    after = request.get("ExclusiveStartKey", {})
    limit = request.get("Limit", PAGE_BYTES)
    match operation:
        case "Scan":
            segment = request.get("Segment", 0), request.get("TotalSegments", 1)
            return scan_page(
                request["TableName"], *segment, limit, after.get("connection_id", {}).get("S", "")
            )
        case "Query":
            return query_page(request["TableName"], limit, after.get("id", {}).get("S", ""))
    return b"{}"


@cache
def scan_page(table: str, segment: int, segments: int, limit: int, start: str) -> bytes:
    """Connections with the attributes that a fan-out reads, after the key `start`."""
    ids = _ids(table)[segment::segments]
    first = ids.index(start) + 1 if start else 0
    ids_of_page = ids[first : first + min(limit, PAGE_BYTES // CONNECTION_BYTES)]
    has_more = first + len(ids_of_page) < len(ids)
    return _page(
        list(map(_connection_row, ids_of_page)),
        {"connection_id": {"S": ids_of_page[-1]}} if has_more else None,
    )


@cache
def query_page(table: str, limit: int, start: str) -> bytes:
    """Messages after the id `start`."""
    first = ulid_time(start) - _FIRST_MS + 1 if start else 0
    end = min(first + min(limit, PAGE_BYTES // MESSAGE_BYTES), _size(table))
    messages = list(map(_message_row, range(first, end)))
    last = {name: messages[-1][name] for name in ("room", "id")} if end < _size(table) else None
    return _page(messages, last)


def _page(items: Sequence[dict[str, Any]], last: dict[str, Any] | None) -> bytes:
    page: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    if last is not None:
        page["LastEvaluatedKey"] = last
    return json.dumps(page, separators=(",", ":")).encode()


def _size(table: str) -> int:
    match = _NUMBER.search(table)
    return int(match[0]) if match else 0


@cache
def _ids(table: str) -> list[str]:
    return connection_ids(_size(table))


def _connection_row(connection_id: str) -> dict[str, Any]:
    numbers = {"connected_at": _FIRST_MS, "last_seen_at": _FIRST_MS, "expires_at": _EXPIRES_AT}
    return {"connection_id": {"S": connection_id}} | {name: {"N": str(n)} for name, n in numbers.items()}


def _message_row(number: int) -> dict[str, Any]:
    date_ms = _FIRST_MS + number
    text = f"Penguin {number} says that the park is full, and that everybody should bring a hat."
    message = Message(ulid(date_ms, bytes(10)), text, f"penguin-{number % 500}", f"p{number % 500}", date_ms)
    return message_row(message, _EXPIRES_AT)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_DynamoDb, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
