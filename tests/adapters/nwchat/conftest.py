"""The functions' tables on moto, the store that uses them with each client, and local servers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from nwchat.storage.store import Store
from tests.adapters.dynamodb_clients import FunctionsClient
from tests.adapters.moto_tables import make_connections, make_messages, moto_client
from tests.adapters.nwchat.delivery.scripted_server import Authority, Peer, Stub, make_authority

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


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    """Makes stubs, which are closed in the end; what their threads raised is raised here."""
    stubs: list[Stub] = []

    def make(script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Stub:
        stubs.append(Stub(script, tls))
        return stubs[-1]

    yield make
    for each in stubs:
        each.close()
        assert each.errors == []


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "trusted")
