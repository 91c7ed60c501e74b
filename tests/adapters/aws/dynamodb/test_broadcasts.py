"""The rows that remember announcements, on moto: begun once, taken up from whom it was seen with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from moto import mock_aws

from nwchat.delivery.tally import Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.segments import Segment
from nwchat.model.ids import dedup_room
from nwchat.model.wire import Message
from nwchat.storage.scan import ScanSegment
from nwchat.storage.store import Dedup, Store
from nwchatctl.aws.core import retry
from nwchatctl.aws.dynamodb.broadcasts import Broadcasts, CheckpointNotSaved
from nwchatctl.chat.broadcast_progress import BroadcastLease, BroadcastRecord, Checkpoint
from tests.adapters.moto_tables import make_messages, moto_client

NOW = 1_700_000_000_000
ID = "01HF7YAT00AAAAAAAAAAAAAAAA"
MESSAGE = Message(ID, "hello", "operator", "", NOW, "announcement")
ME = BroadcastLease("boot/1/2", "me on laptop", NOW + 20_000)
YOU = BroadcastLease("boot/3/4", "you on laptop", NOW + 30_000)
BEGUN = BroadcastRecord(ID, '{"id": 1}', "7", Checkpoint(), ME)
FURTHER = Checkpoint((ScanSegment(1, 4, "x"),), ("a",))
FINISHED = Checkpoint((), ())
DEDUP = Dedup("broadcast", "restart", 86_400)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = moto_client()
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


def with_lease(record: BroadcastRecord, lease: BroadcastLease | None, **fields: Any) -> BroadcastRecord:
    return replace(record, lease=lease, **fields)


def test_lease_is_taken_over_only_from_expected_holder(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    later = with_lease(BEGUN, replace(ME, until=ME.until + 1))
    assert not rows.take_over(later, YOU), "it has been renewed since"
    assert rows.take_over(BEGUN, YOU)
    assert not rows.take_over(BEGUN, ME)
    assert rows.read(NOW) == with_lease(BEGUN, YOU)


def test_taking_over_compares_the_progress_that_was_read(rows: Broadcasts) -> None:
    """What a slow run read does not overwrite what a finished one has written."""
    rows.begin(BEGUN, MESSAGE, None, NOW)
    free = with_lease(BEGUN, None)
    assert rows.finish(free, ME)
    assert rows.take_over(free, YOU)
    assert rows.finish(with_lease(BEGUN, None, checkpoint=FINISHED), YOU)
    assert not rows.take_over(free, ME)
    assert rows.read(NOW) == with_lease(BEGUN, None, checkpoint=FINISHED)


def test_taking_over_keeps_the_progress(rows: Broadcasts) -> None:
    rows.begin(with_lease(BEGUN, ME, checkpoint=FURTHER), MESSAGE, None, NOW)
    assert rows.take_over(with_lease(BEGUN, ME, checkpoint=FURTHER), YOU)
    assert rows.read(NOW) == with_lease(BEGUN, YOU, checkpoint=FURTHER)


def test_announcement_of_another_day_is_not_taken_over(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    assert not rows.take_over(with_lease(replace(BEGUN, message_id="other"), ME), YOU)


def test_only_lease_holder_writes_checkpoint_and_releases(rows: Broadcasts) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    assert not rows.renew(with_lease(BEGUN, YOU, checkpoint=FINISHED), YOU)
    renewed = replace(ME, until=ME.until + 5)
    assert rows.renew(with_lease(BEGUN, renewed, checkpoint=FURTHER), renewed)
    assert rows.read(NOW) == with_lease(BEGUN, renewed, checkpoint=FURTHER)
    assert not rows.finish(with_lease(BEGUN, None, checkpoint=FINISHED), YOU)
    assert rows.finish(with_lease(BEGUN, None, checkpoint=FURTHER), ME)
    assert rows.read(NOW) == with_lease(BEGUN, None, checkpoint=FURTHER)
    assert rows.take_over(with_lease(BEGUN, None, checkpoint=FURTHER), YOU)
    assert not rows.finish(with_lease(BEGUN, None, checkpoint=FURTHER), ME)


def test_row_that_is_no_announcement_is_not_read_and_is_replaced(client: Any, rows: Broadcasts) -> None:
    """A player's deduplication row, whose key once could be that of an announcement."""
    row = {
        "room": {"S": dedup_room("broadcast", "restart")},
        "id": {"S": "-"},
        "message_id": {"S": ID},
        "expires_at": {"N": str(NOW // 1000 + 600)},
    }
    client.put_item(TableName="messages", Item=row)
    assert rows.read(NOW) is None
    assert rows.begin(BEGUN, MESSAGE, NOW // 1000 + 60, NOW)
    assert rows.read(NOW) == BEGUN
    assert messages(client) == [ID]


class Unreliable:
    """Answers calls of `operation` in turn: with an error instead of carrying it out, or with an error after
    it (`lost`); then as `client` does."""

    def __init__(self, client: Any, operation: str, *errors: Any) -> None:
        self._client = client
        self._operation = operation
        self.left = list(errors)
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name != self._operation:
            return method

        def call(**request: Any) -> Any:
            if not self.left:
                return method(**request)
            error, lost = self.left.pop(0)
            if lost:
                method(**request)
            raise error

        return call


def transient_errors(client: Any) -> list[tuple[Exception, bool]]:
    cancelled = client.exceptions.TransactionCanceledException

    def reasons(*codes: str) -> Exception:
        error = {"Error": {"Code": "TransactionCanceledException"}}
        error["CancellationReasons"] = [{"Code": each} for each in codes]  # type: ignore[assignment]
        made: Exception = cancelled(error, "TransactWriteItems")
        return made

    return [
        (ClientError({"Error": {"Code": "TransactionConflictException"}}, "UpdateItem"), False),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem"), False),
        (reasons("TransactionConflict", "None"), False),
        (reasons("None", "ThrottlingError"), False),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), False),
    ]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.001)


def test_each_write_is_retried_after_what_is_transient(client: Any) -> None:
    errors = transient_errors(client)
    begins: Any = Unreliable(client, "transact_write_items", *errors)
    assert Broadcasts(begins, "messages", DEDUP).begin(BEGUN, MESSAGE, NOW // 1000 + 60, NOW)
    updates: Any = Unreliable(client, "update_item", *errors)
    assert Broadcasts(updates, "messages", DEDUP).take_over(BEGUN, YOU)
    updates.left = list(errors)
    assert Broadcasts(updates, "messages", DEDUP).finish(with_lease(BEGUN, None, checkpoint=FINISHED), YOU)
    reads: Any = Unreliable(client, "get_item", *errors)
    assert Broadcasts(reads, "messages", DEDUP).read(NOW) == with_lease(BEGUN, None, checkpoint=FINISHED)
    assert begins.left == updates.left == reads.left == []


def test_a_renewal_is_one_attempt(client: Any, rows: Broadcasts) -> None:
    """Its thread repeats it, with a later end."""
    rows.begin(BEGUN, MESSAGE, None, NOW)
    updates: Any = Unreliable(client, "update_item", *transient_errors(client))
    with pytest.raises(CheckpointNotSaved):
        Broadcasts(updates, "messages", DEDUP).renew(BEGUN, ME)
    assert len(updates.left) == 4


def test_lost_answers_are_recognised(client: Any) -> None:
    lost = (ConnectionClosedError(endpoint_url="https://dynamodb"), True)
    begins: Any = Unreliable(client, "transact_write_items", lost)
    rows = Broadcasts(begins, "messages", DEDUP)
    assert rows.begin(BEGUN, MESSAGE, None, NOW) is False, "moto knows no token"
    assert rows.read(NOW) == BEGUN, "with the lease of this run"
    updates: Any = Unreliable(client, "update_item", lost)
    rows = Broadcasts(updates, "messages", DEDUP)
    assert rows.take_over(BEGUN, YOU) is False
    assert rows.read(NOW) == with_lease(BEGUN, YOU)
    updates.left = [lost]
    finished = with_lease(BEGUN, None, checkpoint=FINISHED)
    assert rows.finish(finished, YOU) is True
    assert rows.finish(with_lease(BEGUN, None, checkpoint=FURTHER), YOU) is False
    assert rows.read(NOW) == finished


def test_fanout_progress_is_read_from_rows_and_from_what_earlier_functions_write(
    client: Any, rows: Broadcasts
) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    store = Store(client, "connections", "messages")
    for number in range(100):
        segment = Segment("{}", ID, number, 101, 10.0, report=rows.room, report_rows=True)
        value = segments.report_value(Counts(3, 2, 1), done=number > 0)
        store.put_report(segments.report_row(segment, value, NOW // 1000 + 60))
    other = Segment("{}", "01HF7YAT00BBBBBBBBBBBBBBBB", 0, 101, 10.0, report=rows.room, report_rows=True)
    store.put_report(segments.report_row(other, segments.report_value(Counts(9, 9), done=True), 1))
    old = Segment("{}", ID, 100, 101, 10.0, report=rows.room)
    store.report(rows.room, segments.report_name(old), segments.report_value(Counts(5, 5), done=True))
    progress = rows.fanout_progress(ID)
    assert (progress.counts.recipients, progress.counts.delivered, progress.finished) == (305, 205, 100)
    assert rows.read(NOW) == BEGUN, "the row does not grow with the room"
