"""Bans in the table of messages, as the tool keeps them; `nwchat.model.bans` has what the functions read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nwchat.model.bans import ROOM, Ban, ban_of, ban_row
from nwchatctl.aws.core.retry import with_retries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Bans:
    """Reads are consistent, and give ended bans as well, for as long as their rows are there."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key: str) -> Ban | None:
        """The ban of that key; None for none."""
        response = with_retries(
            self._client.get_item, TableName=self._table, Key=_key(key), ConsistentRead=True
        )
        row = response.get("Item")
        return ban_of(row) if row else None

    def put(self, ban: Ban) -> None:
        """Stores it, in the place of the one of that key."""
        with_retries(self._client.put_item, TableName=self._table, Item=ban_row(ban))

    def remove(self, key: str) -> Ban | None:
        """Deletes it; what it was, or None where there was none."""
        response = with_retries(
            self._client.delete_item, TableName=self._table, Key=_key(key), ReturnValues="ALL_OLD"
        )
        row = response.get("Attributes")
        return ban_of(row) if row else None

    def all(self) -> Iterator[Ban]:
        """Every one, in the order of the keys: addresses, then users."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "room = :room",
            "ExpressionAttributeValues": {":room": {"S": ROOM}},
        }
        while True:
            response = with_retries(self._client.query, **request)
            yield from map(ban_of, response.get("Items", []))
            if not (last_key := response.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = last_key


def _key(key: str) -> Any:
    return {"room": {"S": ROOM}, "id": {"S": key}}
