"""AWS's clock, from the Date of its answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nwchat.model.rows import Recipient
from nwchat.storage.store import Store
from nwchatctl.aws.core.server_clock import ServerClock, clock_offset_ms
from nwchatctl.chat.connection_rows import RowAge
from nwchatctl.operations.connections import query_connections

# 2026-01-31T18:00:00Z
AT = 1_769_882_400_000
DATE = "Sat, 31 Jan 2026 18:00:00 GMT"


@pytest.mark.parametrize(
    ("date", "here", "ahead"),
    [
        (DATE, AT, 0),
        (DATE, AT + 5_000, 0),
        (DATE, AT - 5_000, 0),
        (DATE, AT + 5_001, -5_001),
        (DATE, AT - 3_600_000, 3_600_000),
        ("", AT, 0),
        ("soon", AT, 0),
        ("Sat, 99 Jan 2026 18:00:00 GMT", AT, 0),
    ],
)
def test_offset_is_server_time_minus_local_time(date: str, here: int, ahead: int) -> None:
    assert clock_offset_ms(date, here) == ahead


@mock_aws
def test_offset_comes_from_latest_response() -> None:
    client = boto3.client("dynamodb", region_name="us-east-2")
    here = [AT]
    clock = ServerClock(client, lambda: here[0])
    assert clock.now_ms() == AT, "nobody has said otherwise yet"
    dates = iter([DATE, "Sat, 31 Jan 2026 17:00:00 GMT"])

    def dated(parsed: dict[str, dict[str, dict[str, str]]], **_: object) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = next(dates)

    client.meta.events.register_first("after-call.dynamodb.*", dated)
    here[0] = AT + 7_200_000
    client.list_tables()
    assert clock.now_ms() == AT, "this machine's is two hours ahead"
    here[0] += 1_000
    assert clock.now_ms() == AT + 1_000
    client.list_tables()
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

    client.meta.events.register_first("after-call.dynamodb.*", dated)
    app: Any = SimpleNamespace(
        aws=SimpleNamespace(client=lambda service: client),
        store=Store(client, "connections", "messages"),
        now_ms=lambda: AT + 3_600_000,
    )
    found = query_connections(app, None)
    read: list[Recipient] = []
    while (page := found.next()) is not None:
        read += page
    assert {each.connection_id: each.note for each in read} == {"new": RowAge.YOUNG, "old": RowAge.OLD}
