"""DynamoDB and @connections, as far as `connections prune` needs them, on one port.

    python -m bench.prune.stub PORT

The table `rows-100000` has so many connections, in any number of segments. Of every ten, the socket of one is
gone, and each deletion of a row succeeds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import unquote

from bench.posts.contenders.common import connection_ids
from bench.posts.serving import Requests

GONE_OF = 10
_TARGET = re.compile(rb"^x-amz-target:\s*\w+\.(\w+)", re.I | re.M)
_CONNECTED_MS = 1_764_021_600_000
# In a year that no bench will see.
_EXPIRES = 4_102_444_800
_GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 27\r\n\r\n" + b'{"message":"GoneException"}'
_ABOUT = json.dumps(
    {
        "connectedAt": "2025-11-24T22:00:00.000Z",
        "identity": {"sourceIp": "192.0.2.1", "userAgent": "Mozilla/5.0"},
        "lastActiveAt": "2025-11-24T22:00:00.000Z",
    }
).encode()


class _Aws(Requests):
    def requested(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET "):
            path = head[4 : head.index(b" ", 4)].decode()
            if is_gone(unquote(path.rpartition("/")[2])):
                self._transport.write(_GONE)
            else:
                self.write("Content-Type: application/json", body=_ABOUT)
            return
        found, answer = _TARGET.search(head), b"{}"
        if found and found[1] == b"Scan":
            asked = json.loads(body)
            start = asked.get("ExclusiveStartKey", {}).get("connection_id", {}).get("S", "")
            segment, segments = asked.get("Segment", 0), asked.get("TotalSegments", 1)
            answer = page(asked["TableName"], segment, segments, start, asked["Limit"])
        self.write("Content-Type: application/x-amz-json-1.0", "x-amzn-RequestId: 0", body=answer)


def is_gone(connection_id: str) -> bool:
    """Whether that one's socket is gone: the same ones each time."""
    return sum(connection_id.encode()) % GONE_OF == 0


@cache
def page(table: str, segment: int, segments: int, start: str, limit: int) -> bytes:
    """The answer to a Scan with the attributes that are asked for, after the key `start`."""
    ids = _ids(table)[segment::segments]
    begin = ids.index(start) + 1 if start else 0
    wanted = list(islice(ids, begin, begin + limit))
    answer: dict[str, Any] = {
        "Items": [_row(each) for each in wanted],
        "Count": len(wanted),
        "ScannedCount": len(wanted),
    }
    if begin + len(wanted) < len(ids):
        answer["LastEvaluatedKey"] = {"connection_id": {"S": wanted[-1]}}
    return json.dumps(answer, separators=(",", ":")).encode()


@cache
def _ids(table: str) -> list[str]:
    return connection_ids(int(table.removeprefix("rows-")))


def _row(connection_id: str) -> dict[str, Any]:
    numbers = {"connected_at": _CONNECTED_MS, "last_seen_at": _CONNECTED_MS, "expires_at": _EXPIRES}
    return {"connection_id": {"S": connection_id}} | {name: {"N": str(n)} for name, n in numbers.items()}


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Aws, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
