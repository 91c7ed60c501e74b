"""Rows of an old table, odd ones among thousands, and what AWS refuses of the old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from moto import mock_aws

from nwchatctl.aws import legacy_chat
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.aws.legacy_chat import LegacyResources
from nwchatctl.deploy.adoption import CopyCounts, LegacyFunction, LegacyTable
from nwchatctl.errors import ChatError

NOW = 1_790_000_000_000
KEYS = StaticCredentials("a", "b")


def table(client: Any, name: str, key: str) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def aws() -> Iterator[Aws]:
    with mock_aws():
        made = Aws(Access(region="us-east-2", credentials=KEYS))
        table(made.client("dynamodb"), "chat", "connectionid")
        table(made.client("dynamodb"), "ours", "connection_id")
        yield made


def old(aws: Aws) -> tuple[LegacyResources, LegacyTable]:
    made = LegacyResources(aws.client("dynamodb"), aws.client("lambda"))
    found = made.table("chat")
    assert found is not None
    return made, found


def put(aws: Aws, *rows: dict[str, Any]) -> None:
    client = aws.client("dynamodb")
    for start in range(0, len(rows), 25):
        some: Any = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        client.batch_write_item(RequestItems={"chat": some})


def copied_rows(aws: Aws) -> dict[str, Any]:
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName="ours")
    return {row["connection_id"]["S"]: row for page in pages for row in page["Items"]}


def test_rows_are_copied_page_by_page(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy_chat, "PAGE", 100)
    put(aws, *({"connectionid": {"S": f"c{number}="}} for number in range(1_234)))
    adapter, found = old(aws)
    assert adapter.count(found) == 1_234
    progress: list[int] = []
    assert adapter.copy(found, "ours", NOW, progress.append) == CopyCounts(copied=1_234)
    assert len(copied_rows(aws)) == 1_234
    assert (progress[0], progress[-1], len(progress)) == (100, 1_234, 13)
    assert copied_rows(aws)["c7="] == {
        "connection_id": {"S": "c7="},
        "connected_at": {"N": str(NOW)},
        "expires_at": {"N": str(NOW // 1000 + 8100)},
    }
    # Run again: all are there, and none is written anew.
    assert adapter.copy(found, "ours", NOW + 5000) == CopyCounts(present=1_234)
    assert copied_rows(aws)["c7="]["connected_at"] == {"N": str(NOW)}


def test_unusable_rows_are_counted_and_existing_rows_kept(aws: Aws) -> None:
    row = {"connection_id": {"S": "there"}, "uname": {"S": "tchalvak"}}
    aws.client("dynamodb").put_item(TableName="ours", Item=row)
    long_ago = {"N": str(NOW // 1000 - 9000)}
    put(
        aws,
        {"connectionid": {"S": "there"}, "uname": {"S": "somebody else"}},
        {"connectionid": {"S": "plain"}, "any": {"M": {"x": {"B": b"\0"}}}},
        {"connectionid": {"S": "old"}, "connectedAt": long_ago},
        {"connectionid": {"S": "expired by its own ttl"}, "ttl": long_ago},
        {"connectionid": {"S": "../../\x1b[2J"}},
        {"connectionid": {"S": "ttl"}, "ttl": long_ago},
    )
    adapter, found = old(aws)
    assert adapter.copy(found, "ours", NOW) == CopyCounts(copied=2, present=1, expired=1, unusable=2)
    assert copied_rows(aws).keys() == {"there", "plain", "ttl"}
    assert copied_rows(aws)["there"] == row


def test_an_empty_table(aws: Aws) -> None:
    adapter, found = old(aws)
    assert adapter.copy(found, "ours", NOW) == CopyCounts()
    assert adapter.count(found) == 0


def test_table_exists_or_not(aws: Aws) -> None:
    adapter, found = old(aws)
    assert (found.name, found.partition_key, found.tags) == ("chat", "connectionid", {})
    assert adapter.table("none") is None
    assert adapter.function("none") is None
    adapter.tag(found, "dojo")
    tagged = adapter.table("chat")
    assert tagged is not None
    assert tagged.tags == {"nwchat:adopted-by": "dojo"}


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_throttled_writes_are_repeated(aws: Aws, code: str) -> None:
    put(aws, {"connectionid": {"S": "c"}})
    adapter, found = old(aws)
    refused: list[int] = []

    def refuse(request: Any, **_: object) -> Any:
        if len(refused) == 2:
            return None
        refused.append(1)
        return answer(request.url, code)

    client = aws.client("dynamodb")
    # First, as moto answers at the same place; it writes all the same, as if an answer was lost.
    client.meta.events.register_first("before-send.dynamodb.PutItem", refuse)
    assert adapter.copy(found, "ours", NOW) == CopyCounts(present=1)
    assert (len(refused), list(copied_rows(aws))) == (2, ["c"])


def answer(url: str, code: str) -> AWSResponse:
    class Raw:
        def stream(self, *_: object, **__: object) -> Iterator[bytes]:
            yield f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "slow down"}}'.encode()

    headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(url, 400, headers, Raw())


def stubbed(service: Any) -> tuple[Any, Stubber]:
    client = boto3.client(service, region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    stub.activate()
    return client, stub


@pytest.mark.parametrize("call", ["get_function", "tag_resource"])
def test_denied_call_names_the_adopt_policy(call: str) -> None:
    functions, stub = stubbed("lambda")
    dynamodb, _ = stubbed("dynamodb")
    stub.add_client_error(call, "AccessDeniedException", "not authorized", 403)
    adapter = LegacyResources(dynamodb, functions)
    with pytest.raises(ChatError) as caught:
        if call == "get_function":
            adapter.function("chat-connect")
        else:
            adapter.tag(
                LegacyFunction("chat-connect", "arn:aws:lambda:r:1:function:chat-connect", {}), "dojo"
            )
    assert (caught.value.code, caught.value.exit_code) == ("access_denied", 3)
    assert "nwchatctl policy adopt" in caught.value.hint
