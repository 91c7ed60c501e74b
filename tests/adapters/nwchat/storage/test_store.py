"""The store against moto's DynamoDB."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from nwchat.aws.errors import AwsError
from nwchat.delivery.targets import delete_item
from nwchat.model.ids import dedup_room, first_ulid
from nwchat.model.limits import Limits
from nwchat.model.rows import Connection, Origin, Recipient, Row
from nwchat.model.wire import Message, Page
from nwchat.storage.scan import ScanSegment
from nwchat.storage.store import Dedup, Duplicate, Store, Stored
from tests.adapters.dynamodb_clients import Atomic

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENT_ERRORS = (ClientError, AwsError)
NOW = 1_700_000_000_000
SECONDS = NOW // 1000
LIVE = SECONDS + 100
LIMITS = Limits(rate_messages=3, rate_seconds=10)


def row(client: DynamoDBClient, connection_id: str) -> dict[str, Any] | None:
    found: Any = client.get_item(TableName="connections", Key={"connection_id": {"S": connection_id}})
    item: dict[str, Any] | None = found.get("Item")
    return item


def all_connections(store: Store, *, full: bool = True, page_size: int | None = None) -> list[Connection]:
    pages = store.connections(NOW, full=full, page_size=page_size)
    return sorted((each for page in pages for each in page), key=lambda each: each.connection_id)


def test_connection_is_added_and_removed(store: Store) -> None:
    someone = Connection("a=", NOW, LIVE, "1.2.3.4", "agent")
    store.add_connection(someone)
    assert all_connections(store) == [someone]
    assert all_connections(store, full=False) == [Connection("a=", NOW, LIVE)]
    store.remove_connection("a=")
    store.remove_connection("a=")
    assert all_connections(store) == []


def test_more_than_a_megabyte_of_connections_is_read_to_the_end(client: DynamoDBClient, store: Store) -> None:
    for start in range(0, 1500, 25):
        puts: Any = [
            {
                "PutRequest": {
                    "Item": {"connection_id": {"S": f"{number:05}"}, "user_agent": {"S": "x" * 1000}}
                }
            }
            for number in range(start, start + 25)
        ]
        client.batch_write_item(RequestItems={"connections": puts})
    pages = list(store.connections(NOW))
    assert len(pages) > 1
    assert sorted(each.connection_id for page in pages for each in page) == [f"{n:05}" for n in range(1500)]


def test_expired_rows_are_not_read(store: Store) -> None:
    live = Connection("live", NOW, SECONDS + 1)
    bare = Connection("bare")
    for each in (live, bare, Connection("just expired", NOW, SECONDS), Connection("old", NOW, 1)):
        store.add_connection(each)
    assert all_connections(store, page_size=1) == [bare, live]


def only(store: Store) -> Recipient:
    """The one row, as a fan-out reads it."""
    (found,) = store.scan(ScanSegment(), NOW)
    (recipient,) = found.recipients
    return recipient


def forgotten(client: DynamoDBClient, recipient: Recipient) -> bool:
    """Whether the request that a fan-out sends deletes a row."""
    request: Any = delete_item("connections", recipient)
    try:
        client.delete_item(**request)
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


ROWS: list[Row] = [
    {},
    {"connected_at": {"N": "5"}},
    {"connected_at": {"N": "6"}},
    {"connected_at": {"S": "yesterday"}},
    {"connected_at": {"N": "5"}, "last_seen_at": {"N": "7"}},
    {"connected_at": {"N": "5"}, "last_seen_at": {"N": "8"}},
    {"last_seen_at": {"BOOL": True}},
]


@pytest.mark.parametrize("read", ROWS)
@pytest.mark.parametrize("stored", ROWS)
def test_only_unchanged_row_is_deleted(client: DynamoDBClient, store: Store, stored: Row, read: Row) -> None:
    client.put_item(TableName="connections", Item={"connection_id": {"S": "a"}, **read})
    recipient = only(store)
    client.put_item(TableName="connections", Item={"connection_id": {"S": "a"}, **stored})
    assert forgotten(client, recipient) is (stored == read)
    assert (row(client, "a") is None) is (stored == read)


@pytest.mark.parametrize("read", ROWS)
def test_absent_row_is_not_deleted_twice(client: DynamoDBClient, read: Row) -> None:
    assert forgotten(client, Recipient("a", read)) is False


def record_activity(store: Store, now_ms: int) -> bool:
    return store.record_activity("a", NOW, "uname", "7", now_ms, LIMITS)


def test_the_rate_is_counted_in_windows_from_their_first_message(store: Store) -> None:
    store.add_connection(Connection("a", NOW, LIVE, "1.2.3.4", "agent"))
    times = [0, 1, 9_999, 9_999, 10_000, 10_001, 10_002, 19_999, 20_000]
    accepted = [record_activity(store, NOW + after) for after in times]
    assert accepted == [True, True, True, False, True, True, True, False, True]


def test_activity_stores_sender_in_row(client: DynamoDBClient, store: Store) -> None:
    store.add_connection(Connection("a", NOW, 1, "1.2.3.4", "agent"))
    record_activity(store, NOW + 5)
    record_activity(store, NOW + 6)
    assert row(client, "a") == {
        "connection_id": {"S": "a"},
        "connected_at": {"N": str(NOW)},
        "expires_at": {"N": str(SECONDS + 8100)},
        "source_ip": {"S": "1.2.3.4"},
        "user_agent": {"S": "agent"},
        "uname": {"S": "uname"},
        "sender_id": {"S": "7"},
        "last_seen_at": {"N": str(NOW + 6)},
        "rate_started_at": {"N": str(NOW + 5)},
        "rate_count": {"N": "2"},
    }


def test_activity_recreates_lost_row(store: Store) -> None:
    assert record_activity(store, NOW + 5)
    assert all_connections(store) == [
        Connection("a", NOW, SECONDS + 8100, uname="uname", sender_id="7", last_seen_at=NOW + 5)
    ]


def test_row_made_again_has_its_origin(client: DynamoDBClient, store: Store) -> None:
    """Deleted, or expired: whoever can send is reached as before, also by an announcement to one player."""
    origin = Origin("1.2.3.4", "agent", proven=True)
    assert store.record_activity("a", NOW, "uname", "7", NOW + 5, LIMITS, origin=origin)
    assert all_connections(store) == [
        Connection("a", NOW, SECONDS + 8100, "1.2.3.4", "agent", "uname", "7", NOW + 5, proven=True)
    ]


def test_activity_keeps_the_origin_of_a_row(store: Store) -> None:
    store.add_connection(Connection("a", NOW, LIVE, "1.2.3.4", "agent", proven=True))
    assert store.record_activity("a", NOW, "u", "7", NOW, LIMITS, origin=Origin("5.6.7.8", "", proven=True))
    (found,) = all_connections(store)
    assert (found.source_ip, found.user_agent, found.proven) == ("1.2.3.4", "agent", True)


def test_names_that_are_claimed_lose_the_mark_of_a_token(store: Store) -> None:
    store.add_connection(Connection("a", NOW, LIVE, proven=True))
    assert store.record_activity("a", NOW, "u", "7", NOW, LIMITS, origin=Origin("1.2.3.4"))
    assert [each.proven for each in all_connections(store)] == [False]


@pytest.fixture
def atomic(client: DynamoDBClient) -> Store:
    one_at_a_time: Any = Atomic(client)
    return Store(one_at_a_time, "connections", "messages")


def test_overtaken_message_is_counted_after_the_other(client: DynamoDBClient) -> None:
    """Another comes between reading the window, with room for one more, and counting in it."""

    class Overtaken(Atomic):
        overtaking = True

        def update_item(self, **request: Any) -> Any:
            try:
                return self.client.update_item(**request)
            except self.client.exceptions.ConditionalCheckFailedException:
                if self.overtaking:
                    self.overtaking = False
                    assert record_activity(Store(client, "connections", "messages"), NOW)
                raise

    overtaken: Any = Overtaken(client)
    store = Store(client, "connections", "messages")
    assert [record_activity(store, NOW), record_activity(store, NOW)] == [True, True]
    assert record_activity(Store(overtaken, "connections", "messages"), NOW) is False
    kept = row(client, "a")
    assert kept is not None
    assert kept["rate_count"] == {"N": "3"}


def test_activity_keeps_connected_at(store: Store) -> None:
    store.add_connection(Connection("a", NOW - 5, LIVE))
    record_activity(store, NOW)
    record_activity(store, NOW)
    assert [each.connected_at for each in all_connections(store)] == [NOW - 5]


def test_messages_at_once_are_each_counted(atomic: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(lambda _: record_activity(atomic, NOW), range(8)))
    assert accepted.count(True) == 3


class Counting:
    """Passes on to a client, counting calls; answers the first `conflicts` transactions with a conflict."""

    def __init__(self, client: DynamoDBClient, conflicts: int = 0, code: str = "TransactionConflict") -> None:
        self.client = client
        self.conflicts = conflicts
        self.code = code
        self.calls: list[str] = []
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        if name == "transact_write_items" and self.conflicts:
            self.conflicts -= 1
            answer: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": self.code}, {"Code": "None"}],
            }
            raise self.client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
        return getattr(self.client, name)


def test_a_message_that_opens_a_window_is_one_write_and_one_inside_it_two(client: DynamoDBClient) -> None:
    counting: Any = Counting(client)
    store = Store(counting, "connections", "messages")
    writes = []
    for after in (0, 1, 2, 3, 10_000):
        record_activity(store, NOW + after)
        writes.append(len(counting.calls))
        counting.calls.clear()
    assert writes == [1, 2, 2, 1, 1]


def message_at(ms: int, text: str = "hi") -> Message:
    return Message(first_ulid(ms), text, "u", "7", NOW)


def test_a_message_is_stored(store: Store) -> None:
    message = replace(message_at(1, "é\n<b>"), type="announcement")
    assert store.append(message, LIVE) == Stored(message.id)
    assert store.append(message, LIVE) == Stored(message.id)
    assert store.page(10, NOW) == Page((message,))


def test_the_same_key_of_the_same_sender_is_stored_once(client: DynamoDBClient, store: Store) -> None:
    one, two, three, four = (message_at(ms) for ms in (1, 2, 3, 4))
    assert store.append(one, LIVE, Dedup("claimed", "k", owner="7")) == Stored(one.id)
    assert store.append(two, LIVE, Dedup("claimed", "k", owner="7")) == Duplicate(one.id)
    assert store.append(three, LIVE, Dedup("claimed", "k", owner="8")) == Stored(three.id)
    assert store.append(four, LIVE, Dedup("claimed", "other", owner="7")) == Stored(four.id)
    assert store.page(10, NOW) == Page((one, three, four))
    kept = client.get_item(
        TableName="messages", Key={"room": {"S": dedup_room("claimed", "k", "7")}, "id": {"S": "-"}}
    )
    assert kept["Item"] == {
        "room": {"S": dedup_room("claimed", "k", "7")},
        "id": {"S": "-"},
        "message_id": {"S": one.id},
        "expires_at": {"N": str(SECONDS + 600)},
    }


def test_a_key_is_free_again_when_its_time_is_over(store: Store) -> None:
    one, two, three = (replace(message_at(ms), date=NOW + ms) for ms in (0, 599_999, 600_000))
    store.append(one, LIVE, Dedup("claimed", "k", owner="7"))
    assert store.append(two, LIVE, Dedup("claimed", "k", owner="7")) == Duplicate(one.id)
    assert store.append(three, LIVE, Dedup("claimed", "k", owner="7")) == Stored(three.id)


def test_a_message_on_its_way_is_marked_as_sent_under_its_key(client: DynamoDBClient, store: Store) -> None:
    dedup, one, two = Dedup("claimed", "k", owner="7"), message_at(1), message_at(2)
    store.append(one, LIVE, dedup)
    store.mark_sent(one, dedup)
    assert store.append(two, LIVE, dedup) == Duplicate(one.id, sent=True)
    found = client.get_item(TableName="messages", Key={"room": {"S": dedup.room}, "id": {"S": "-"}})
    assert found["Item"] == {
        "room": {"S": dedup.room},
        "id": {"S": "-"},
        "message_id": {"S": one.id},
        "expires_at": {"N": str(SECONDS + 600)},
        "sent": {"BOOL": True},
    }


def test_a_later_use_of_a_key_is_not_marked_as_sent(store: Store) -> None:
    dedup, one = Dedup("claimed", "k", owner="7"), message_at(1)
    later = replace(message_at(2), date=NOW + 600_000)
    store.append(one, LIVE, dedup)
    store.append(later, LIVE, dedup)
    store.mark_sent(one, dedup)
    assert store.append(message_at(3), LIVE, dedup) == Duplicate(later.id)
    free = Dedup("claimed", "other")
    store.mark_sent(one, free)
    assert store.append(message_at(4), LIVE, free) == Stored(first_ulid(4))


def test_the_same_key_with_another_text_or_kind_is_another_key(store: Store) -> None:
    keys = (
        Dedup("claimed", "k", owner="7", digest="a"),
        Dedup("claimed", "k", owner="7", digest="b"),
        Dedup("proven", "k", owner="7", digest="a"),
        Dedup("socket", "k", owner="7", digest="a"),
    )
    for ms, key in enumerate(keys, 1):
        assert store.append(message_at(ms), LIVE, key) == Stored(first_ulid(ms))
    for ms, key in enumerate(keys, 1):
        assert store.append(message_at(9), LIVE, key) == Duplicate(first_ulid(ms))


def test_a_row_of_an_earlier_release_is_not_a_use_of_the_key(client: DynamoDBClient, store: Store) -> None:
    """It says neither what was said nor whether it was sent, so that nothing can be acknowledged by it."""
    digest = hashlib.sha256(b"7\0k").hexdigest()
    row: Any = {
        "room": {"S": f"sent#{digest}"},
        "id": {"S": "-"},
        "message_id": {"S": first_ulid(1)},
        "expires_at": {"N": str(SECONDS + 600)},
    }
    client.put_item(TableName="messages", Item=row)
    assert store.append(message_at(2), LIVE, Dedup("claimed", "k", owner="7")) == Stored(first_ulid(2))


def test_one_stored_message(store: Store) -> None:
    for ms in (1, 2, 3):
        store.append(message_at(ms), LIVE)
    assert store.message(first_ulid(2)) == message_at(2)
    assert store.message(first_ulid(4)) is None


def test_a_message_gets_a_new_id_when_its_own_is_late_at_an_attempt(client: DynamoDBClient) -> None:
    counting: Any = Counting(client, conflicts=2)
    store = Store(counting, "connections", "messages", sleep=lambda _: None)
    ids = iter(first_ulid(ms) for ms in (1, 1, 9))
    dedup = Dedup("claimed", "k", owner="7")
    stored = store.append(message_at(1), LIVE, dedup, renew=lambda each: replace(each, id=next(ids)))
    assert stored == Stored(first_ulid(9))
    assert store.append(message_at(2), LIVE, dedup) == Duplicate(first_ulid(9))
    assert [each.id for each in store.page(9, NOW).messages] == [first_ulid(9)]


def test_concurrent_messages_with_one_key_are_stored_once(atomic: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(
                lambda ms: atomic.append(message_at(ms), LIVE, Dedup("claimed", "k", owner="7")), range(8)
            )
        )
    stored = [each for each in results if isinstance(each, Stored)]
    assert len(stored) == 1
    assert {each.id for each in results} == {stored[0].id}
    assert [each.id for each in atomic.page(10, NOW).messages] == [stored[0].id]


def test_conflicting_transaction_is_retried(client: DynamoDBClient) -> None:
    waits: list[float] = []
    counting: Any = Counting(client, conflicts=2)
    store = Store(counting, "connections", "messages", sleep=waits.append, jitter=lambda: 0.5)
    assert store.append(message_at(1), LIVE, Dedup("claimed", "k", owner="7")) == Stored(first_ulid(1))
    assert waits == [0.05, 0.1]


@pytest.mark.parametrize(
    ("conflicts", "code", "calls"), [(9, "TransactionConflict", 5), (1, "ValidationError", 1)]
)
def test_transaction_retries_are_bounded_and_skip_invalid_requests(
    client: DynamoDBClient, conflicts: int, code: str, calls: int
) -> None:
    counting: Any = Counting(client, conflicts=conflicts, code=code)
    store = Store(counting, "connections", "messages", sleep=lambda _: None)
    with pytest.raises(CLIENT_ERRORS, match="TransactionCanceledException"):
        store.append(message_at(1), LIVE, Dedup("claimed", "k", owner="7"))
    assert counting.calls.count("transact_write_items") == calls


def test_history_is_paged_both_ways(store: Store) -> None:
    every = [message_at(ms) for ms in range(1, 8)]
    for message in every:
        store.append(message, LIVE, Dedup("claimed", message.id, owner="7"))
    a, b, c, d, e, f, g = every
    assert store.page(3, NOW) == Page((e, f, g), before=e.id)
    assert store.page(3, NOW, before=e.id) == Page((b, c, d), before=b.id, after=d.id)
    assert store.page(3, NOW, before=b.id) == Page((a,), after=a.id)
    assert store.page(3, NOW, before=a.id) == Page()
    assert store.page(3, NOW, after=a.id) == Page((b, c, d), before=b.id, after=d.id)
    assert store.page(3, NOW, after=d.id) == Page((e, f, g), before=e.id)
    assert store.page(3, NOW, after=g.id) == Page()
    assert store.page(3, NOW, after=b.id, before=f.id) == Page((c, d, e), before=c.id)
    assert store.page(2, NOW, after=b.id, before=f.id) == Page((c, d), before=c.id, after=d.id)
    assert store.page(3, NOW, after=b.id, before=b.id) == Page()
    assert store.page(3, NOW, after=f.id, before=b.id) == Page()
    assert store.page(3, NOW, after=first_ulid(0), before=first_ulid(3)) == Page((a, b), before=a.id)
    assert store.page(9, NOW) == Page(tuple(every))


def test_an_empty_room(store: Store) -> None:
    assert store.page(50, NOW) == Page()


def test_a_page_is_not_shorter_for_expired_rows(store: Store) -> None:
    first, last = message_at(1), message_at(99)
    for message in (first, last):
        store.append(message, LIVE)
    for ms in range(2, 60):
        store.append(message_at(ms), SECONDS)
    assert store.page(2, NOW) == Page((first, last))
    assert store.page(1, NOW) == Page((last,), before=last.id)
    assert store.page(1, NOW, after=first.id) == Page((last,), before=last.id)
    assert store.page(1, NOW, before=last.id) == Page((first,), after=first.id)


def test_a_page_of_more_than_a_megabyte_is_read_to_the_end(store: Store) -> None:
    for ms in range(1, 101):
        store.append(message_at(ms, "x" * 30_000), LIVE)
    assert len(store.page(100, NOW).messages) == 100


def test_error_of_aws_is_raised(client: DynamoDBClient) -> None:
    store = Store(client, "no such table", "no-such-table")
    with pytest.raises(CLIENT_ERRORS):
        list(store.connections(NOW))
    with pytest.raises(CLIENT_ERRORS):
        store.page(1, NOW)
