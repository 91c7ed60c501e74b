"""The functions' two tables on moto, and the store that reads and writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from nwchat.storage.store import Store
from tests.adapters.moto_tables import make_connections, make_messages

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-2")
        make_connections(client)
        make_messages(client)
        yield client
        client.close()


@pytest.fixture
def store(client: DynamoDBClient) -> Store:
    return Store(client, "connections", "messages")
