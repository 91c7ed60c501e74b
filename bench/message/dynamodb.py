"""DynamoDB, as far as one message needs it: scans of a table of connections, and writes that succeed.

    python -m bench.message.dynamodb PORT

The table `rows-1000` has 1,000 connections, in any number of segments, in pages of 1 MB as AWS's are.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache
from itertools import islice
from typing import Any

from bench.posts.contenders.common import connection_ids
from bench.posts.serving import Requests

ROW_BYTES = 260
"""What a row with everything in it takes in the table: a page ends by that, whatever is read of each."""

_PAGE_ROWS = 1024 * 1024 // ROW_BYTES
_TARGET = re.compile(rb"^x-amz-target:\s*\w+\.(\w+)", re.I | re.M)
_CONNECTED_MS = 1_764_021_600_000
# In a year that no bench will see.
_EXPIRES = 4_102_444_800


class _DynamoDb(Requests):
    def requested(self, head: bytes, body: bytes) -> None:
        found = _TARGET.search(head)
        operation = found[1].decode() if found else ""
        answer = b"{}"
        if operation == "Scan":
            asked = json.loads(body)
            start = asked.get("ExclusiveStartKey", {}).get("connection_id", {}).get("S", "")
            answer = page(asked["TableName"], asked.get("Segment", 0), asked.get("TotalSegments", 1), start)
        self.write("Content-Type: application/x-amz-json-1.0", "x-amzn-RequestId: 0", body=answer)


@cache
def page(table: str, segment: int, segments: int, start: str) -> bytes:
    """The answer to a Scan with the attributes that a fan-out reads, after the key `start`."""
    ids = _ids(table)[segment::segments]
    begin = ids.index(start) + 1 if start else 0
    wanted = list(islice(ids, begin, begin + _PAGE_ROWS))
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
    server = await asyncio.get_running_loop().create_server(_DynamoDb, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
