"""What other writes see of a transaction that is in flight, and how long that is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import dynamodb

from nwchatctl.sandbox.patches import transactions

KEY = {"room": {"S": "sent#x"}, "id": {"S": "-"}}
OTHER = {"room": {"S": "sent#y"}, "id": {"S": "-"}}


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    schema = [{"AttributeName": "room", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("room", "id")]
    dynamodb._create_table(
        {
            "TableName": "messages",
            "KeySchema": schema,
            "AttributeDefinitions": types,
            "BillingMode": "PAY_PER_REQUEST",
        }
    )
    yield
    dynamodb._tables.pop("messages")


async def call(operation: str, **request: Any) -> tuple[int, Any]:
    """Status and body of the answer."""
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    status, _, body = await transactions.handle_request(
        "POST", "/", headers, json.dumps(request).encode(), {}
    )
    return status, json.loads(body)


def put(key: dict[str, Any]) -> dict[str, Any]:
    return {"Put": {"TableName": "messages", "Item": {**key, "by": {"S": "transaction"}}}}


async def transact(*keys: dict[str, Any], token: str = "t") -> tuple[int, Any]:
    return await call(
        "TransactWriteItems", TransactItems=[put(key) for key in keys], ClientRequestToken=token
    )


WRITES: dict[str, dict[str, Any]] = {
    "PutItem": {"Item": {**KEY, "by": {"S": "item"}}},
    "UpdateItem": {
        "Key": KEY,
        "UpdateExpression": "SET x = :x",
        "ExpressionAttributeValues": {":x": {"S": "1"}},
    },
    "DeleteItem": {"Key": KEY},
}


@pytest.mark.parametrize("operation", WRITES)
def test_item_level_write_meets_transaction(operation: str) -> None:
    async def run() -> None:
        write = {"TableName": "messages", **WRITES[operation]}
        running = asyncio.create_task(transact(KEY, token=operation))
        await asyncio.sleep(0)
        status, body = await call(operation, **write)
        assert (status, body["__type"]) == (400, "TransactionConflictException")
        assert (await call("PutItem", TableName="messages", Item=OTHER))[0] == 200, "another item"
        read = await call("GetItem", TableName="messages", Key=KEY)
        assert "Item" not in read[1], "it is not carried out yet"
        assert (await running)[0] == 200
        assert (await call("GetItem", TableName="messages", Key=KEY))[1]["Item"]["by"] == {"S": "transaction"}
        assert (await call(operation, **write))[0] == 200

    asyncio.run(run())


def test_transactions_with_the_same_item_cancel_each_other() -> None:
    async def run() -> None:
        running = asyncio.create_task(transact(KEY))
        await asyncio.sleep(0)
        status, body = await transact(OTHER, KEY, token="u")
        assert (status, body["__type"]) == (400, "TransactionCanceledException")
        assert [each["Code"] for each in body["CancellationReasons"]] == ["None", "TransactionConflict"]
        status, body = await transact(KEY)
        assert (status, body["__type"]) == (400, "TransactionInProgressException")
        assert (await running)[0] == 200
        assert (await transact(OTHER, KEY, token="u"))[0] == 200

    asyncio.run(run())


def test_item_is_free_after_a_transaction_that_fails() -> None:
    async def run() -> None:
        condition = {"ConditionExpression": "attribute_exists(room)"}
        status, _ = await call(
            "TransactWriteItems", TransactItems=[{"Put": {**put(KEY)["Put"], **condition}}]
        )
        assert status == 400
        assert (await call("PutItem", TableName="messages", Item=KEY))[0] == 200

    asyncio.run(run())
