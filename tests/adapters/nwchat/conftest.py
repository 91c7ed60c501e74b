"""The functions' two tables on moto, and the store that reads and writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from nwchat.storage.store import Store
from tests.adapters.moto_tables import make_connections, make_messages, moto_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with mock_aws():
        client = moto_client()
        make_connections(client)
        make_messages(client)
        yield client


@pytest.fixture
def store(client: DynamoDBClient) -> Store:
    return Store(client, "connections", "messages")
