"""AWS's clock, from the Date of its answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nwchat.model.rows import Recipient
from nwchat.storage.store import Store
from nwchatctl.aws.core.server_clock import ServerClock, ServerDates
from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.chat.connection_rows import RowAge
from nwchatctl.operations.connections import query_connections

# 2026-01-31T18:00:00Z
AT = 1_769_882_400_000
DATE = "Sat, 31 Jan 2026 18:00:00 GMT"


@pytest.mark.parametrize(
    ("here", "now"),
    [
        (AT, AT),
        (AT + 5_000, AT + 5_000),
        (AT - 5_000, AT - 5_000),
        (AT + 5_001, AT),
        (AT - 3_600_000, AT),
    ],
)
def test_local_time_is_used_if_it_differs_little(here: int, now: int) -> None:
    dates = ServerDates(lambda: 7.0)
    clock = ServerClock(dates, lambda: here)
    assert (clock.is_set, clock.now_ms()) == (False, here)
    dates._record_date({"ResponseMetadata": {"HTTPHeaders": {"date": DATE}}})
    assert (clock.is_set, clock.now_ms()) == (True, now)


@pytest.mark.parametrize("date", ["", "soon", "Sat, 99 Jan 2026 18:00:00 GMT"])
def test_what_is_no_date_changes_nothing(date: str) -> None:
    dates = ServerDates()
    dates._record_date({"ResponseMetadata": {"HTTPHeaders": {"date": date}}})
    dates._record_date({})
    assert dates.now_ms() is None


@mock_aws
def test_time_comes_from_latest_response_of_any_client() -> None:
    monotonic = [100.0]
    aws = Aws(
        Access(region="us-east-2", credentials=StaticCredentials("a", "b")),
        dates=ServerDates(lambda: monotonic[0]),
    )
    here = [AT + 7_200_000]
    clock = ServerClock(aws.dates, lambda: here[0])
    dates = iter([DATE, "Sat, 31 Jan 2026 17:00:00 GMT"])

    def dated(parsed: dict[str, dict[str, dict[str, str]]], **_: object) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = next(dates)

    for client in (aws.client("dynamodb"), aws.client("sts")):
        client.meta.events.register_first("after-call.*.*", dated)
    aws.client("dynamodb").list_tables()
    assert clock.now_ms() == AT, "this machine's is two hours ahead"
    monotonic[0] += 1.0
    here[0] -= 99_000_000
    assert clock.now_ms() == AT + 1_000, "however this machine's clock is changed"
    aws.client("sts").get_caller_identity()
    assert clock.now_ms() == AT - 3_600_000


@mock_aws
def test_wrong_local_clock_makes_no_row_old() -> None:
    """This machine's is an hour ahead: a row of a minute ago is young all the same."""
    client = boto3.client("dynamodb", region_name="us-east-2")
    client.create_table(
        TableName="connections",
        KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connection_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    rows = {"new": AT - 60_000, "old": AT - 180_000}
    for name, at in rows.items():
        item: Any = {"connection_id": {"S": name}, "connected_at": {"N": str(at)}}
        client.put_item(TableName="connections", Item=item)

    def dated(parsed: dict[str, dict[str, dict[str, str]]], **_: object) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = DATE

    client.meta.events.register_first("after-call.*.*", dated)
    dates = ServerDates()
    dates.attach(client)
    app: Any = SimpleNamespace(
        clock=ServerClock(dates, lambda: AT + 3_600_000), store=Store(client, "connections", "messages")
    )
    found = query_connections(app, None)
    read: list[Recipient] = []
    while (page := found.next()) is not None:
        read += page
    assert {each.connection_id: each.note for each in read} == {"new": RowAge.YOUNG, "old": RowAge.OLD}
