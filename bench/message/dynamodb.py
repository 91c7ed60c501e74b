"""DynamoDB, as far as the bench needs it: tables read page by page, and writes that succeed.

    python -m bench.message.dynamodb PORT

A table is as large as the number in its name says. Scanned it has connections, in any number of segments;
queried it has messages of one room, oldest first. Pages are of 1 MB, as AWS's, or of the `Limit` asked for.
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
from bench.posts.http_server import Requests
from bench.posts.server_process import free_ports, kept
from nwchat.model.ids import ulid, ulid_time
from nwchat.model.rows import message_row
from nwchat.model.wire import Message

PAGE_BYTES = 1024 * 1024
CONNECTION_BYTES = 260
"""What a row with everything in it takes in the table: a page ends by that, whatever is read of each."""
MESSAGE_BYTES = 300

_TARGET = re.compile(rb"^x-amz-target:\s*\w+\.(\w+)", re.I | re.M)
_NUMBER = re.compile(r"\d+")
_BEGAN_MS = 1_764_021_600_000
# In a year that no bench will see.
_EXPIRES = 4_102_444_800


@contextmanager
def running() -> Iterator[str]:
    """The URL of one, on the stub's cores."""
    (port,) = free_ports(1)
    environ = {**os.environ, "PYTHONPATH": str(tools.BENCH.parent)}
    command = [sys.executable, "-m", "bench.message.dynamodb", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="nwchat-bench-") as folder,
        kept(command, environ, Path(folder) / "said.txt", [port]),
    ):
        yield f"http://127.0.0.1:{port}"


class _DynamoDb(Requests):
    def requested(self, head: bytes, body: bytes) -> None:
        found = _TARGET.search(head)
        self.write(
            "Content-Type: application/x-amz-json-1.0",
            "x-amzn-RequestId: 0",
            f"Date: {formatdate(usegmt=True)}",
            body=answer(found[1].decode() if found else "", json.loads(body or b"{}")),
        )


def answer(operation: str, asked: dict[str, Any]) -> bytes:
    """The body of the answer to a request."""
    after = asked.get("ExclusiveStartKey", {})
    limit = asked.get("Limit", PAGE_BYTES)
    match operation:
        case "Scan":
            part = asked.get("Segment", 0), asked.get("TotalSegments", 1)
            return scanned(asked["TableName"], *part, limit, after.get("connection_id", {}).get("S", ""))
        case "Query":
            return queried(asked["TableName"], limit, after.get("id", {}).get("S", ""))
    return b"{}"


@cache
def scanned(table: str, segment: int, segments: int, limit: int, start: str) -> bytes:
    """Connections with the attributes that a fan-out reads, behind the key `start`."""
    ids = _ids(table)[segment::segments]
    begin = ids.index(start) + 1 if start else 0
    wanted = ids[begin : begin + min(limit, PAGE_BYTES // CONNECTION_BYTES)]
    further = begin + len(wanted) < len(ids)
    return _page(list(map(_connection, wanted)), {"connection_id": {"S": wanted[-1]}} if further else None)


@cache
def queried(table: str, limit: int, start: str) -> bytes:
    """Messages, behind the id `start`."""
    begin = _message_number(start) + 1 if start else 0
    end = min(begin + min(limit, PAGE_BYTES // MESSAGE_BYTES), _size(table))
    found = list(map(_message, range(begin, end)))
    last = {name: found[-1][name] for name in ("room", "id")} if end < _size(table) else None
    return _page(found, last)


def _page(items: Sequence[dict[str, Any]], last: dict[str, Any] | None) -> bytes:
    page: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    if last is not None:
        page["LastEvaluatedKey"] = last
    return json.dumps(page, separators=(",", ":")).encode()


def _size(table: str) -> int:
    found = _NUMBER.search(table)
    return int(found[0]) if found else 0


@cache
def _ids(table: str) -> list[str]:
    return connection_ids(_size(table))


def _connection(connection_id: str) -> dict[str, Any]:
    numbers = {"connected_at": _BEGAN_MS, "last_seen_at": _BEGAN_MS, "expires_at": _EXPIRES}
    return {"connection_id": {"S": connection_id}} | {name: {"N": str(n)} for name, n in numbers.items()}


def _message(number: int) -> dict[str, Any]:
    made_ms = _BEGAN_MS + number
    text = f"Penguin {number} says that the park is full, and that everybody should bring a hat."
    said = Message(ulid(made_ms, bytes(10)), text, f"penguin-{number % 500}", f"p{number % 500}", made_ms)
    return message_row(said, _EXPIRES)


def _message_number(key: str) -> int:
    return ulid_time(key) - _BEGAN_MS


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_DynamoDb, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
