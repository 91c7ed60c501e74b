"""AWS's own DynamoDB Local, which is stricter about expressions and sizes than moto."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tests.adapters.dynamodb_clients import REGION
from tests.free_port import free_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = Path(sys.prefix) / "dynamodb-local"
"""Where `make dynamodb-local` puts it."""
_JAR = FOLDER / "DynamoDBLocal.jar"
_LIBRARIES = FOLDER / "DynamoDBLocal_lib"
_LAUNCHER = Path(__file__).with_name("OnLoopback.java")
_START_SECONDS = 60.0


def is_installed() -> bool:
    """Whether it can be started here."""
    return shutil.which("javac") is not None and _JAR.is_file()


@contextmanager
def run_dynamodb_local(folder: Path) -> Iterator[str]:
    """Starts it without tables; yields its URL. `folder` is for its output."""
    port = free_port()
    # The simpler compiler and collector: it runs for seconds.
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]
    options += [f"-Djava.library.path={_LIBRARIES}", "-cp", f"{_JAR}:{_LIBRARIES}/*", str(_LAUNCHER)]
    arguments = ["-inMemory", "-port", str(port), "-disableTelemetry"]
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(["java", *options, *arguments], cwd=folder, stdout=output, stderr=output)
        try:
            _wait_until_listening(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


@cache
def local_client(url: str) -> DynamoDBClient:
    """boto3's client of it: one for all tests of a process."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(proxies={}),
    )


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
