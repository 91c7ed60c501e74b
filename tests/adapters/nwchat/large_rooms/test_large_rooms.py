"""What a large room asks of DynamoDB and of Lambda."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from nwchat.delivery.tally import Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.invoker import FailedInvocation, Invoker
from nwchat.large_rooms.segments import Segment
from nwchat.model.rows import Connection
from nwchat.storage.conflicts import ATTEMPTS
from nwchat.storage.scan import ScanSegment
from nwchat.storage.store import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000_000
LIVE = NOW // 1000 + 100

ONE = Segment("{}", "id", 2, 4, 10.0, report="sent#x")


def add_rows(store: Store, names: list[str]) -> None:
    for each in names:
        store.add_connection(Connection(each, NOW, LIVE))


def read(store: Store, **options: Any) -> list[str]:
    part = options.pop("part", ScanSegment())
    return [each.connection_id for page in store.scan(part, NOW, **options) for each in page.recipients]


def test_scan_continues_after_deleted_start_row(store: Store) -> None:
    add_rows(store, [f"c{each}" for each in range(6)])
    all_ids = read(store)
    assert read(store, part=ScanSegment(start=all_ids[1]), page_size=2) == all_ids[2:]
    store.remove_connection(all_ids[1])
    assert read(store, part=ScanSegment(start=all_ids[1])) == all_ids[2:]


def test_segment_scan_sends_segment_parameters() -> None:
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
        assert read(Store(real, "connections", "messages"), part=ScanSegment(1, 4, "a")) == ["b", "c"]
    real.close()


def test_size_is_item_count_of_table(store: Store) -> None:
    add_rows(store, ["a", "b", "c"])
    assert store.item_count() == 3


def broadcast_record(client: DynamoDBClient) -> dict[str, Any]:
    found: Any = client.get_item(TableName="messages", Key={"room": {"S": "sent#x"}, "id": {"S": "-"}})
    item: dict[str, Any] = found.get("Item", {})
    return item


def test_reports_are_stored_in_broadcast_record(client: DynamoDBClient, store: Store) -> None:
    key = {"room": {"S": "sent#x"}, "id": {"S": "-"}}
    client.put_item(TableName="messages", Item={**key, "message_id": {"S": "m"}})
    for counts, done in ((Counts(9, 9), False), (Counts(3, 2, 1, reasons=(("a", 1),)), True)):
        value = segments.report_value(counts, done=done)
        store.report("sent#x", segments.report_name(ONE), value)
    row = broadcast_record(client)
    assert row["message_id"] == {"S": "m"}
    assert segments.progress_of(row) == segments.SegmentProgress(Counts(3, 2, 1, reasons=(("a", 1),)), 1)


def test_report_does_not_recreate_deleted_record(client: DynamoDBClient, store: Store) -> None:
    store.report("sent#x", "seg_0_0", segments.report_value(Counts(), done=True))
    assert broadcast_record(client) == {}


class Conflicting:
    """Answers the first `conflicts` updates with a conflict, as DynamoDB does while a transaction runs."""

    def __init__(self, client: DynamoDBClient, conflicts: int) -> None:
        self._client = client
        self.conflicts = conflicts
        self.exceptions = client.exceptions

    def update_item(self, **request: Any) -> Any:
        self.conflicts -= 1
        if self.conflicts >= 0:
            raise ClientError({"Error": {"Code": "TransactionConflictException"}}, "UpdateItem")
        return self._client.update_item(**request)


def test_report_that_meets_a_transaction_is_repeated_within_bounds(client: DynamoDBClient) -> None:
    client.put_item(TableName="messages", Item={"room": {"S": "sent#x"}, "id": {"S": "-"}})
    waits: list[float] = []
    value = segments.report_value(Counts(1, 1), done=True)

    def report(conflicts: int) -> None:
        conflicting: Any = Conflicting(client, conflicts)
        store = Store(conflicting, "connections", "messages", sleep=waits.append, jitter=lambda: 1.0)
        store.report("sent#x", segments.report_name(ONE), value)
        conflicting.conflicts = conflicts
        store.put_report(segments.report_row(ONE, value, 1))

    report(ATTEMPTS - 1)
    assert segments.progress_of(broadcast_record(client)).finished == 1
    assert waits == [0.1, 0.2, 0.4, 0.8] * 2
    with pytest.raises(ClientError, match="TransactionConflict"):
        report(ATTEMPTS)


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
    calls.invoke(segment)


def test_refused_segments_are_returned(invoker: tuple[Invoker, Stubber]) -> None:
    calls, stub = invoker
    stub.add_client_error("invoke", "TooManyRequestsException", "Rate Exceeded", 429)
    (missed,) = calls.invoke_all([ONE])
    assert (missed.segment, missed.reason) == (ONE, "TooManyRequestsException")
    large = Segment("x" * 1_000_000, "id", 0, 4, 1.0)
    assert calls.invoke_all([large]) == [
        FailedInvocation(
            large,
            f"an event of {len(json.dumps(segments.to_event(large), separators=(',', ':')))} bytes "
            "is more than Lambda takes",
        )
    ]
