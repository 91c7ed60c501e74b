"""The rows that remember announcements, on moto: begun once, taken up from whom it was seen with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nwchat.model.ids import dedup_room
from nwchat.model.wire import Message
from nwchat.storage.scan import ScanSegment
from nwchat.storage.store import Dedup, Store
from nwchatctl.aws.dynamodb.broadcasts import Broadcasts
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint
from tests.adapters.moto_tables import make_messages

NOW = 1_700_000_000_000
ID = "01HF7YAT00AAAAAAAAAAAAAAAA"
MESSAGE = Message(ID, "hello", "operator", "", NOW, "announcement")
ME = BroadcastLease("boot/1/2", "me on laptop", NOW + 20_000)
YOU = BroadcastLease("boot/3/4", "you on laptop", NOW + 30_000)
BEGUN = BroadcastRecord(ID, '{"id": 1}', "7", Checkpoint(), ME)
DEDUP = Dedup("broadcast", "restart", 86_400)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b"
        )
        make_messages(client)
        yield client


@pytest.fixture
def rows(client: Any) -> Broadcasts:
    return Broadcasts(client, "messages", DEDUP)


def messages(client: Any) -> list[str]:
    return [each.id for each in Store(client, "connections", "messages").page(9, NOW).messages]


def test_record_is_created_once_with_its_message(client: Any, rows: Broadcasts) -> None:
    assert rows.read(NOW) is None
    assert rows.begin(BEGUN, MESSAGE, NOW // 1000 + 60, NOW)
    assert rows.read(NOW) == BEGUN
    assert not rows.begin(BroadcastRecord("other", lease=YOU), MESSAGE, NOW // 1000 + 60, NOW)
    assert rows.read(NOW) == BEGUN
    assert messages(client) == [ID]


def test_ephemeral_broadcast_is_recorded_without_its_message(client: Any, rows: Broadcasts) -> None:
    assert rows.begin(BEGUN, MESSAGE, None, NOW)
    assert rows.read(NOW) == BEGUN
    assert messages(client) == []


def test_record_expires_after_a_day(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    other = BroadcastRecord("other", lease=YOU)
    assert not rows.begin(other, MESSAGE, None, NOW + 86_399_000)
    assert rows.read(NOW + 86_399_000) == BEGUN
    assert rows.read(NOW + 86_400_000) is None, "though TTL leaves it for a while"
    assert rows.begin(other, MESSAGE, None, NOW + 86_400_000)
    assert rows.read(NOW + 86_400_000) == other


def test_lease_is_taken_over_only_from_expected_holder(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    later = BroadcastRecord(
        ID, BEGUN.frame, "7", Checkpoint(), BroadcastLease(ME.process, ME.owner, ME.until + 1)
    )
    assert not rows.take_over(later, YOU), "it has been heard of since"
    assert rows.take_over(BEGUN, YOU)
    assert not rows.take_over(BEGUN, ME)
    found = rows.read(NOW)
    assert found is not None
    assert found.lease == YOU


def test_only_lease_holder_writes_checkpoint_and_releases(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    further = Checkpoint((ScanSegment(1, 4, "x"),), ("a",))
    assert not rows.save(BroadcastRecord(ID, checkpoint=Checkpoint((), ()), lease=YOU), YOU)
    assert rows.save(BroadcastRecord(ID, checkpoint=further, lease=None), ME)
    assert rows.read(NOW) == BroadcastRecord(ID, BEGUN.frame, "7", further, None)
    assert rows.take_over(BroadcastRecord(ID, checkpoint=further), YOU)
    assert not rows.save(BroadcastRecord(ID, checkpoint=further, lease=None), ME)


def test_record_of_earlier_release_counts_as_sent(client: Any, rows: Broadcasts) -> None:
    row = {"room": {"S": dedup_room("broadcast", "restart")}, "id": {"S": "-"}, "message_id": {"S": ID}}
    client.put_item(TableName="messages", Item=row)
    found = rows.read(NOW)
    assert found == BroadcastRecord(ID, checkpoint=Checkpoint((), ()))
    assert found.checkpoint.finished
