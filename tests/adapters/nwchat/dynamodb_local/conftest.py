"""AWS's own DynamoDB Local, which is stricter about expressions and sizes than moto; started once."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from tests.adapters.dynamodb_clients import REGION, FunctionsClient
from tests.adapters.moto_tables import make_connections, make_messages

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = Path(sys.prefix) / "dynamodb-local"
"""Where `make dynamodb-local` puts it."""
_START_SECONDS = 60.0


@pytest.fixture(scope="session")
def dynamodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a DynamoDB Local without tables."""
    java, jar = shutil.which("java"), FOLDER / "DynamoDBLocal.jar"
    if java is None or not jar.is_file():
        pytest.skip("DynamoDB Local needs Java, and `make dynamodb-local`")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # The simpler compiler and collector: it runs for seconds.
    options = [
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx256m",
        f"-Djava.library.path={FOLDER}/DynamoDBLocal_lib",
    ]
    command = [java, *options, "-jar", str(jar), "-inMemory", "-port", str(port), "-disableTelemetry"]
    log = tmp_path_factory.mktemp("dynamodb-local") / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=log.parent, stdout=output, stderr=output)
        try:
            _wait_until_listening(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end_at = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end_at:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"DynamoDB Local does not start: {log.read_text()}")


@pytest.fixture(scope="session")
def boto3_client(dynamodb_url: str) -> Iterator[DynamoDBClient]:
    made: Any = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(proxies={}),
    )
    yield made
    made.close()


@pytest.fixture(scope="session", params=["boto3", "functions"])
def each_client(
    request: pytest.FixtureRequest, boto3_client: DynamoDBClient, dynamodb_url: str
) -> Iterator[Any]:
    if request.param == "boto3":
        yield boto3_client
        return
    made = FunctionsClient(boto3_client, dynamodb_url)
    yield made
    made.close()


@pytest.fixture
def client(each_client: Any) -> Iterator[DynamoDBClient]:
    make_connections(each_client)
    make_messages(each_client)
    yield each_client
    for name in ("connections", "messages"):
        each_client.delete_table(TableName=name)
