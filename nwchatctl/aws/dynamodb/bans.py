"""The bans in the messages table, as the tool reads and writes them; the functions use
`nwchat.model.bans`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nwchat.model.bans import ROOM, Ban, ban_of, ban_row
from nwchatctl.aws.core.retry import with_retries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Bans:
    """Reads and writes bans. Reads are consistent, and include ended bans as long as their rows exist."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key: str) -> Ban | None:
        """The ban with that key; None if there is none."""
        response = with_retries(
            self._client.get_item, TableName=self._table, Key=_key(key), ConsistentRead=True
        )
        row = response.get("Item")
        return ban_of(row) if row else None

    def put(self, ban: Ban) -> None:
        """Stores the ban; replaces one with the same key."""
        with_retries(self._client.put_item, TableName=self._table, Item=ban_row(ban))

    def remove(self, key: str) -> Ban | None:
        """Deletes the ban; returns it, or None if there was none when it was read just before. If the answer
        to the deletion is lost, a repeated one would say that there was none."""
        ban = self.get(key)
        if ban is not None:
            with_retries(self._client.delete_item, TableName=self._table, Key=_key(key))
        return ban

    def all(self) -> Iterator[Ban]:
        """All bans, sorted by key: addresses, then users."""
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
