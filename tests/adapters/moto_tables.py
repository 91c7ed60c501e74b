"""Tables on moto, with the keys that deploy gives them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@cache
def moto_client() -> DynamoDBClient:
    """A client for use within `mock_aws`, where each test begins without tables.

    One for all tests of a process: a client takes longer to make than a test to run.
    """
    with mock_aws():
        return boto3.client(
            "dynamodb", region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b"
        )


def make_connections(client: DynamoDBClient) -> None:
    """The table `connections`."""
    client.create_table(
        TableName="connections",
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def make_messages(client: DynamoDBClient) -> None:
    """The table `messages`."""
    client.create_table(
        TableName="messages",
        KeySchema=[
            {"AttributeName": "room", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "room", "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
