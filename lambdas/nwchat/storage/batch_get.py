"""Strongly consistent reads of several rows of one partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nwchat.log import LoggableError

if TYPE_CHECKING:
    from nwchat.model.rows import Row
    from nwchat.storage.dynamodb_client import DynamoDb

ATTEMPTS = 3
_BASE_BACKOFF_SECONDS = 0.05


class UnprocessedRows(LoggableError):
    """DynamoDB returned only some of the rows in every attempt."""


def read_rows(
    client: DynamoDb,
    table: str,
    room: str,
    ids: Sequence[str],
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
) -> list[Row]:
    """Read the existing rows with these ids, in any order. At most 100 ids, without duplicates.

    `sleep` takes seconds, `jitter` returns [0, 1). Raises UnprocessedRows when a throttled partition returns
    only some of the rows in each of ATTEMPTS attempts, and the client's errors.
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
