"""The functions' two tables on moto, and the store that reads and writes them: by either client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from nwchat.storage.store import Store
from tests.adapters.dynamodb_clients import FunctionsClient
from tests.adapters.moto_tables import make_connections, make_messages, moto_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENTS: dict[str, Callable[[DynamoDBClient], Any]] = {
    # The tool's store, and that of the functions.
    "boto3": lambda client: client,
    "functions": FunctionsClient,
}


@pytest.fixture(params=sorted(CLIENTS))
def client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    with mock_aws():
        client = moto_client()
        make_connections(client)
        make_messages(client)
        yield CLIENTS[request.param](client)


@pytest.fixture
def store(client: DynamoDBClient) -> Store:
    return Store(client, "connections", "messages")
