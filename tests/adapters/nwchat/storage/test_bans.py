"""Bans as the functions read them from DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nwchat.model.bans import Ban, ban_row, keys_of
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchat.storage.batch_get import ATTEMPTS, UnprocessedRows
from nwchat.storage.store import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOB, PLACE = Ban("user#bob", "Bob", 5, 1, "me", "spam"), Ban("address#1.2.3.4", "1.2.3.4")


@pytest.fixture
def banned(client: DynamoDBClient) -> DynamoDBClient:
    """A client, with bans in the table."""
    for ban in (BOB, PLACE):
        client.put_item(TableName="messages", Item=ban_row(ban))
    return client


def store(client: Any, waits: list[float] | None = None) -> Store:
    slept = [] if waits is None else waits
    return Store(client, "connections", "messages", sleep=slept.append, jitter=lambda: 1.0)


def test_bans_are_read_in_one_consistent_batch(banned: DynamoDBClient) -> None:
    asked: list[Any] = []

    class Watched:
        def batch_get_item(self, **request: Any) -> Any:
            asked.append(request)
            return banned.batch_get_item(**request)

    found = store(Watched()).bans(keys_of(sender_id="7", uname="BOB", address="1.2.3.4"))
    assert sorted(row["id"]["S"] for row in found) == ["address#1.2.3.4", "user#bob"]
    (request,) = asked
    assert request["RequestItems"]["messages"]["ConsistentRead"] is True


def test_message_row_is_no_ban(banned: DynamoDBClient) -> None:
    banned.put_item(TableName="messages", Item=message_row(Message("user#eve", "hi", "", "", 1), 5))
    assert store(banned).bans(("user#eve",)) == []


class Busy:
    """Gives one row of those that are asked for, and leaves the others; none at all with `rows` 0."""

    def __init__(self, client: DynamoDBClient, rows: int) -> None:
        self.client = client
        self.rows = rows
        self.calls = 0

    def batch_get_item(self, **request: Any) -> Any:
        self.calls += 1
        (wanted,) = request["RequestItems"].values()
        now, later = wanted["Keys"][: self.rows], wanted["Keys"][self.rows :]
        left = {"UnprocessedKeys": {"messages": {**wanted, "Keys": later}} if later else {}}
        if not now:
            return {"Responses": {}, **left}
        some: Any = {"messages": {**wanted, "Keys": now}}
        return {**self.client.batch_get_item(RequestItems=some), **left}


def test_unprocessed_keys_are_read_again(banned: DynamoDBClient) -> None:
    busy, waits = Busy(banned, 1), list[float]()
    found = store(busy, waits).bans(("user#eve", "user#bob", "address#1.2.3.4"))
    assert [row["id"]["S"] for row in found] == ["user#bob", "address#1.2.3.4"]
    assert (busy.calls, waits) == (3, [0.1, 0.2])


def test_retries_of_unprocessed_keys_are_bounded(banned: DynamoDBClient) -> None:
    busy, waits = Busy(banned, 0), list[float]()
    with pytest.raises(UnprocessedRows, match="1 of 1 rows"):
        store(busy, waits).bans(("user#bob",))
    assert (busy.calls, sum(waits) < 1) == (ATTEMPTS, True)
