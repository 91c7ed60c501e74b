"""What a large room asks of DynamoDB and of Lambda."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from nwchat.delivery.tally import Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.invoker import Invoker, Missed
from nwchat.large_rooms.segments import Segment
from nwchat.model.rows import Connection
from nwchat.storage.scan import Part
from nwchat.storage.store import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000_000
LIVE = NOW // 1000 + 100

ONE = Segment("{}", "id", 2, 4, 10.0, report="sent#x")


def filled(store: Store, names: list[str]) -> None:
    for each in names:
        store.add_connection(Connection(each, NOW, LIVE))


def read(store: Store, **options: Any) -> list[str]:
    part = options.pop("part", Part())
    return [each.connection_id for page in store.scan(part, NOW, **options) for each in page.recipients]


def test_a_scan_goes_on_after_a_row_that_may_be_gone(store: Store) -> None:
    filled(store, [f"c{each}" for each in range(6)])
    everybody = read(store)
    assert read(store, part=Part(start=everybody[1]), page_size=2) == everybody[2:]
    store.remove_connection(everybody[1])
    assert read(store, part=Part(start=everybody[1])) == everybody[2:]


def test_segments_are_asked_for_as_such() -> None:
    real: Any = boto3.client(
        "dynamodb", region_name="us-east-2", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(real) as stub:
        stub.add_response(
            "scan",
            {"Items": [{"connection_id": {"S": "b"}}], "LastEvaluatedKey": {"connection_id": {"S": "b"}}},
            {
                "TableName": "connections",
                "ProjectionExpression": "connection_id, connected_at, last_seen_at, expires_at",
                "ConsistentRead": False,
                "Segment": 1,
                "TotalSegments": 4,
                "ExclusiveStartKey": {"connection_id": {"S": "a"}},
            },
        )
        stub.add_response(
            "scan",
            {"Items": [{"connection_id": {"S": "c"}}]},
            {
                "TableName": "connections",
                "ProjectionExpression": "connection_id, connected_at, last_seen_at, expires_at",
                "ConsistentRead": False,
                "Segment": 1,
                "TotalSegments": 4,
                "ExclusiveStartKey": {"connection_id": {"S": "b"}},
            },
        )
        assert read(Store(real, "connections", "messages"), part=Part(1, 4, "a")) == ["b", "c"]
    real.close()


def test_the_tables_own_count(store: Store) -> None:
    filled(store, ["a", "b", "c"])
    assert store.size() == 3


def announcement(client: DynamoDBClient) -> dict[str, Any]:
    found: Any = client.get_item(TableName="messages", Key={"room": {"S": "sent#x"}, "id": {"S": "-"}})
    item: dict[str, Any] = found.get("Item", {})
    return item


def test_reports_go_into_the_announcements_row(client: DynamoDBClient, store: Store) -> None:
    key = {"room": {"S": "sent#x"}, "id": {"S": "-"}}
    client.put_item(TableName="messages", Item={**key, "message_id": {"S": "m"}})
    for counts, done in ((Counts(9, 9), False), (Counts(3, 2, 1, reasons=(("a", 1),)), True)):
        value = segments.report_value(counts, done=done)
        store.report("sent#x", segments.report_name(ONE), value)
    row = announcement(client)
    assert row["message_id"] == {"S": "m"}
    assert segments.progress_of(row) == segments.Progress(Counts(3, 2, 1, reasons=(("a", 1),)), 1)


def test_a_row_that_is_gone_is_not_made_again(client: DynamoDBClient, store: Store) -> None:
    store.report("sent#x", "seg_0_0", segments.report_value(Counts(), done=True))
    assert announcement(client) == {}


@pytest.fixture
def invoker() -> Iterator[tuple[Invoker, Stubber]]:
    real: Any = boto3.client(
        "lambda", region_name="us-east-2", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(real) as stub:
        yield Invoker(real, "f:live"), stub
    real.close()


def test_a_segment_is_one_asynchronous_invocation(invoker: tuple[Invoker, Stubber]) -> None:
    calls, stub = invoker
    segment = Segment("\u2028 ü", "id", 0, 4, 10.0)
    payload = json.dumps(segments.to_event(segment), ensure_ascii=False, separators=(",", ":")).encode()
    wanted = {"FunctionName": "f:live", "InvocationType": "Event", "Payload": payload}
    stub.add_response("invoke", {"StatusCode": 202}, wanted)
    calls.hand_over(segment)


def test_what_lambda_does_not_take_comes_back(invoker: tuple[Invoker, Stubber]) -> None:
    calls, stub = invoker
    stub.add_client_error("invoke", "TooManyRequestsException", "Rate Exceeded", 429)
    (missed,) = calls.hand_over_all([ONE])
    assert (missed.segment, "Rate Exceeded" in missed.reason) == (ONE, True)
    large = Segment("x" * 1_000_000, "id", 0, 4, 1.0)
    assert calls.hand_over_all([large]) == [
        Missed(
            large,
            f"an event of {len(json.dumps(segments.to_event(large), separators=(',', ':')))} bytes "
            "is more than Lambda takes",
        )
    ]
