"""The functions' tables, the store that uses them with each client, and local servers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from nwchat.storage.store import Store
from tests.adapters.dynamodb_clients import FunctionsClient
from tests.adapters.dynamodb_local import is_installed, local_client, run_dynamodb_local
from tests.adapters.moto_tables import make_connections, make_messages, moto_client
from tests.adapters.nwchat.delivery.scripted_server import Authority, Peer, Stub, make_authority

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def dynamodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a DynamoDB Local without tables, started once in each process of the tests."""
    if not is_installed():
        pytest.skip("DynamoDB Local needs Java, and `make dynamodb-local`")
    with run_dynamodb_local(tmp_path_factory.mktemp("dynamodb-local")) as url:
        yield url


@pytest.fixture(scope="session")
def functions_client(dynamodb_url: str) -> Iterator[FunctionsClient]:
    """The functions' client of DynamoDB Local."""
    made = FunctionsClient(local_client(dynamodb_url), dynamodb_url)
    yield made
    made.close()


@pytest.fixture(params=["boto3", "functions", "boto3-local", "functions-local"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of both tables: the tool's or the functions', on moto or on DynamoDB Local."""
    if not request.param.endswith("-local"):
        with mock_aws():
            make_connections(moto_client())
            make_messages(moto_client())
            yield moto_client() if request.param == "boto3" else FunctionsClient(moto_client())
        return
    url = request.getfixturevalue("dynamodb_url")
    local = local_client(url)
    make_connections(local)
    make_messages(local)
    yield local if request.param == "boto3-local" else request.getfixturevalue("functions_client")
    for name in ("connections", "messages"):
        local.delete_table(TableName=name)


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
