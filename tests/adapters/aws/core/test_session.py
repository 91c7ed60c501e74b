"""Sessions: keys given outright need nothing of the user's, and what is traced holds no secret."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ProfileNotFound,
)
from botocore.stub import Stubber

from nwchatctl.aws.core import retry
from nwchatctl.aws.core.session import QUICK_READ_TIMEOUT, READ_TIMEOUT, Access, Aws, StaticCredentials
from nwchatctl.chat.broadcast_progress import TERMS

KEYS = StaticCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI-SECRET")
SANDBOX = Access(region="us-east-2", endpoint="http://127.0.0.1:1", credentials=KEYS)


def test_explicit_keys_ignore_profile_and_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = Aws(SANDBOX).client("sts")
    config: Any = client.meta.config
    assert config.proxies == {}
    assert client.meta.endpoint_url == "http://127.0.0.1:1"


def test_profile_is_used_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    with pytest.raises(ProfileNotFound):
        Aws(Access(region="us-east-2")).client("sts")


def test_one_client_per_service() -> None:
    aws = Aws(SANDBOX)
    one: Any = aws.client("sts")
    assert one is aws.client("sts")
    assert one is not aws.client("iam")


def test_every_call_is_traced_without_arguments() -> None:
    lines: list[str] = []
    client = Aws(SANDBOX, lines.append).client("dynamodb")
    with Stubber(client) as stub:
        stub.add_response("get_item", {"ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 2}})
        client.get_item(TableName="secret-table", Key={"id": {"S": "hunter2"}})
    (line,) = lines
    assert line.startswith("dynamodb GetItem: 200 in ")
    assert line.endswith(" ms, 2 retries")


def test_failed_call_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    client = Aws(SANDBOX, lines.append).client("apigatewayv2", retries=False)
    with pytest.raises(EndpointConnectionError):
        client.get_apis()
    assert [each.split(" in ")[0] for each in lines] == ["apigatewayv2 GetApis: EndpointConnectionError"]


def test_repr_contains_no_secret() -> None:
    assert KEYS.secret_access_key not in f"{KEYS!r} {SANDBOX!r} {Aws(SANDBOX)!r}"


def test_calls_without_retries_use_separate_client() -> None:
    aws = Aws(SANDBOX)
    once: Any = aws.client("apigatewayv2", retries=False).meta.config
    often: Any = aws.client("apigatewayv2").meta.config
    assert (once.retries["total_max_attempts"], often.retries["total_max_attempts"]) == (1, 8)


def test_only_invoke_has_long_read_timeout() -> None:
    aws = Aws(SANDBOX)
    slow: Any = aws.client("lambda", slow=True).meta.config
    usual: Any = aws.client("lambda").meta.config
    assert (slow.read_timeout, usual.read_timeout) == (930, 20)


@contextmanager
def answers(*replies: bytes) -> Iterator[str]:
    """The address of a server that answers each connection with the next of `replies` and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for each in replies:
                client, _ = server.accept()
                with client:
                    client.recv(65536)
                    client.sendall(each)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.join(60)


def test_response_cut_in_headers_is_a_failure() -> None:
    """http.client takes it for a whole one with no body, and botocore for one that says nothing."""
    with answers(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nDa") as url:
        client = Aws(dataclasses.replace(SANDBOX, endpoint=url)).client("apigatewayv2", retries=False)
        with pytest.raises(ConnectionClosedError):
            client.create_api(Name="x", ProtocolType="WEBSOCKET")


def test_stop_retrying_raises_first_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own retries would go on while a Ctrl-C waits."""
    monkeypatch.setattr(retry, "_stop", threading.Event())
    retry.stop_retrying()
    with answers(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") as url:
        client = Aws(dataclasses.replace(SANDBOX, endpoint=url)).client("apigatewayv2")
        with pytest.raises(ClientError, match="503"):
            client.get_apis()


def test_calls_of_dynamodb_that_are_repeated_by_their_caller_end_soon() -> None:
    """An answer that never comes must not cost a lease; what creates a resource waits for its answer."""
    aws = Aws(Access(region="us-east-2", credentials=StaticCredentials("a", "b")))
    quick, create = aws.client("dynamodb", retries=False), aws.client("apigatewayv2", retries=False)
    configs: list[Any] = [each.meta.config for each in (quick, aws.client("dynamodb"), create)]
    timeouts = [each.read_timeout for each in configs]
    assert timeouts == [QUICK_READ_TIMEOUT, READ_TIMEOUT, READ_TIMEOUT]
    assert TERMS.holder_seconds > 2 * QUICK_READ_TIMEOUT
