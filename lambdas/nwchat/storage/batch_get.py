"""A few rows of one partition, read together and as they are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from nwchat.model.rows import Row

ATTEMPTS = 3
_BASE_BACKOFF_SECONDS = 0.05


class UnprocessedRows(Exception):
    """DynamoDB answered, and left some of the rows out each time."""


def read_rows(
    client: DynamoDBClient,
    table: str,
    room: str,
    ids: Sequence[str],
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
) -> list[Row]:
    """Those of the rows that there are, in any order; `ids` are at most 100, each once.

    Raises Unread when a busy partition gives only some of them, ATTEMPTS times; boto3's errors go through.
    """
    found: list[Row] = []
    wanted: Any = {"Keys": [{"room": {"S": room}, "id": {"S": each}} for each in ids], "ConsistentRead": True}
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(jitter() * _BASE_BACKOFF_SECONDS * 2**attempt)
        answer: Any = client.batch_get_item(RequestItems={table: wanted})
        found += answer.get("Responses", {}).get(table, [])
        wanted = answer.get("UnprocessedKeys", {}).get(table)
        if not wanted:
            return found
    raise UnprocessedRows(f"{len(wanted['Keys'])} of {len(ids)} rows were not read")
