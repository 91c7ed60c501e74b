"""Single rows of the connections table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwchat.model.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read_row(client: DynamoDBClient, table: str, connection_id: str) -> Row | None:
    """The row, read consistently; None if there is none."""
    key = {"connection_id": {"S": connection_id}}
    row: Any = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return row or None
