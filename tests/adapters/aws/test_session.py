"""Sessions: keys given outright need nothing of the user's, and what is traced holds no secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ProfileNotFound
from botocore.stub import Stubber

from nwchatctl.aws.session import Access, Aws, Credentials

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI-SECRET")
SANDBOX = Access(region="us-east-2", endpoint="http://127.0.0.1:1", credentials=KEYS)


def test_given_keys_need_no_profile_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = Aws(SANDBOX).client("sts")
    config: Any = client.meta.config
    assert config.proxies == {}
    assert client.meta.endpoint_url == "http://127.0.0.1:1"


def test_without_keys_the_profile_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    with pytest.raises(ProfileNotFound):
        Aws(Access(region="us-east-2")).client("sts")


def test_one_client_a_service_and_url() -> None:
    aws = Aws(SANDBOX)
    assert aws.client("sts") is aws.client("sts")
    one = aws.client("apigatewaymanagementapi", "http://127.0.0.1:1/a")
    assert one is aws.client("apigatewaymanagementapi", "http://127.0.0.1:1/a")
    assert one is not aws.client("apigatewaymanagementapi", "http://127.0.0.1:1/b")
    # Posting retries by itself: botocore's own would multiply that.
    config: Any = one.meta.config
    assert config.retries["total_max_attempts"] == 1


def test_every_call_is_traced_without_arguments() -> None:
    lines: list[str] = []
    client = Aws(SANDBOX, lines.append).client("dynamodb")
    with Stubber(client) as stub:
        stub.add_response("get_item", {"ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 2}})
        client.get_item(TableName="secret-table", Key={"id": {"S": "hunter2"}})
    (line,) = lines
    assert line.startswith("dynamodb GetItem: 200 in ")
    assert line.endswith(" ms, 2 retries")


def test_a_call_that_reaches_nobody_is_traced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    client = Aws(SANDBOX, lines.append).client("apigatewaymanagementapi", "http://127.0.0.1:1/x")
    with pytest.raises(EndpointConnectionError):
        client.post_to_connection(ConnectionId="a", Data=b"b")
    assert [each.split(" in ")[0] for each in lines] == [
        "apigatewaymanagementapi PostToConnection: EndpointConnectionError"
    ]


def test_no_secret_in_what_can_be_printed() -> None:
    assert KEYS.secret_access_key not in f"{KEYS!r} {SANDBOX!r} {Aws(SANDBOX)!r}"
