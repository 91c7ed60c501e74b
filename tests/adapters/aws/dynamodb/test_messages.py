"""The messages by the thousand, against moto's DynamoDB and against scripted answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from nwchat.model.ids import ROOM, ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchat.storage.store import Dedup, Store
from nwchatctl.aws.dynamodb.messages import MAX_FRUITLESS_ATTEMPTS, Messages
from nwchatctl.chat.history_filter import MessageFilter, Span
from nwchatctl.chat.history_store import KnownMessages
from nwchatctl.chat.history_tail import MessagePage
from nwchatctl.errors import ChatError
from tests.adapters.moto_tables import make_messages, moto_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000_000
LIVE = NOW // 1000 + 1000
PAST = NOW // 1000 - 1


def message(number: int, text: str = "") -> Message:
    return Message(ulid(NOW - 100_000 + number, bytes(10)), text or f"text {number}", "u", "1", NOW)


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with mock_aws():
        client = moto_client()
        make_messages(client)
        yield client


@pytest.fixture
def messages(client: DynamoDBClient) -> Messages:
    return Messages(client, "messages", lambda: NOW)


def put(messages: Messages, *numbers: int) -> None:
    for number in numbers:
        messages.put([(message(number), LIVE)])


def numbers(pages: Any) -> list[int]:
    return [int(each.message.removeprefix("text ")) for page in pages for each in page]


@pytest.mark.parametrize(
    ("after", "before", "found"),
    [
        (None, None, [1, 2, 3, 4, 5]),
        (2, None, [3, 4, 5]),
        (None, 3, [1, 2]),
        (1, 5, [2, 3, 4]),
        (3, 3, []),
        (4, 2, []),
        (5, None, []),
    ],
)
def test_span_excludes_its_ends(
    messages: Messages, after: int | None, before: int | None, found: list[int]
) -> None:
    put(messages, *range(1, 6))
    ends = [None if each is None else message(each).id for each in (after, before)]
    assert numbers(messages.oldest_first(Span(*ends))) == found
    assert numbers(messages.newest_first(Span(*ends))) == found[::-1]
    assert numbers(messages.newest_first(Span(*ends), 1)) == found[::-1]


def test_read_skips_expired_messages_and_other_rooms(client: DynamoDBClient, messages: Messages) -> None:
    store = Store(client, "none", "messages")
    store.append(message(1), LIVE, Dedup("socket", "k"))
    messages.put([(message(2), PAST), (message(3), LIVE)])
    assert numbers(messages.oldest_first(Span())) == [1, 3]
    assert messages.read(message(0).id, 10) == MessagePage((message(1), message(3)), None)
    # Those that expire are counted and deleted as any other.
    limit = message(3).id
    assert (messages.count(limit), list(messages.keys(limit))) == (2, [message(1).id, message(2).id])
    assert sum(messages.delete(messages.keys(limit))) == 2
    left = client.scan(TableName="messages")["Items"]
    assert sorted(row["id"]["S"] for row in left) == ["-", limit]
    assert sorted(row["room"]["S"] for row in left)[0] == ROOM


def test_page_has_cursor_of_next_page(messages: Messages) -> None:
    put(messages, *range(1, 6))
    first = messages.read(message(1).id, 2)
    assert first == MessagePage((message(2), message(3)), message(3).id)
    assert first.next is not None
    assert messages.read(first.next, 10) == MessagePage((message(4), message(5)), None)


def test_last_messages_of_one_sender(messages: Messages) -> None:
    put(messages, *range(1, 6))
    own = Message(ulid(NOW - 200_000, bytes(10)), "text 9", "other", "2", NOW)
    messages.put([(own, LIVE)])
    assert messages.last(2, MessageFilter()) == [message(4), message(5)]
    assert messages.last(2, MessageFilter(user="2")) == [own]
    assert messages.last(2, MessageFilter(user="nobody")) == []


@pytest.mark.parametrize(("number", "found"), [(1, 5), (3, 3), (5, 1), (6, None)])
def test_oldest_kept_message_is_found(messages: Messages, number: int, found: int | None) -> None:
    put(messages, *range(1, 6))
    messages.put([(message(6), PAST)])
    assert messages.oldest_of_newest(number) == (found and message(found).id)


def test_the_oldest_of_more_than_a_page(messages: Messages) -> None:
    for start in range(0, 1200, 25):
        messages.put([(message(each), LIVE) for each in range(start, start + 25)])
    assert messages.oldest_of_newest(1100) == message(100).id
    assert messages.count(message(1200).id) == 1200
    deleted = list(messages.delete(messages.keys(message(1000).id)))
    assert deleted == [25] * 40
    assert numbers(messages.oldest_first(Span())) == list(range(1000, 1200))


def test_message_is_stored_and_deleted(messages: Messages) -> None:
    put(messages, 1)
    assert messages.get(message(1).id) == message(1)
    assert messages.delete_one(message(1).id) == message(1)
    assert messages.delete_one(message(1).id) is None
    assert messages.get(message(1).id) is None


def test_known_are_the_stored_and_the_deleted(client: DynamoDBClient, messages: Messages) -> None:
    put(messages, 1, 2)
    messages.put([(message(3), PAST)])
    keys = [message(number).id for number in range(1, 5)]
    assert messages.delete_one(keys[0]) == message(1)
    assert messages.known(keys) == KnownMessages({keys[1]: message(2)}, frozenset({keys[0]}))
    # It expires with the message, and is no message itself.
    record = client.get_item(TableName="messages", Key={"room": {"S": "deleted"}, "id": {"S": keys[0]}})
    assert record["Item"]["expires_at"] == {"N": str(LIVE)}
    assert set(record["Item"]) == {"room", "id", "expires_at"}
    assert numbers(messages.oldest_first(Span())) == [2]
    messages.restore([keys[0]])
    assert messages.known(keys).deleted == frozenset()


def test_keys_that_were_not_read_are_read_again() -> None:
    keys = [message(1).id, message(2).id]
    row = message_row(message(2), LIVE)
    left = {"Keys": [{"room": {"S": ROOM}, "id": {"S": keys[1]}}], "ConsistentRead": True}
    client = boto3.client(
        "dynamodb", region_name="us-east-2", aws_access_key_id="x", aws_secret_access_key="x"
    )
    waits: list[float] = []
    with Stubber(client) as stub:
        stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {"messages": left}})
        stub.add_response(
            "batch_get_item", {"Responses": {"messages": [row]}}, {"RequestItems": {"messages": left}}
        )
        reading = Messages(client, "messages", lambda: NOW, sleep=waits.append, jitter=lambda: 1.0)
        assert reading.known(keys) == KnownMessages({keys[1]: message(2)})
        stub.assert_no_pending_responses()
    assert len(waits) == 1


@pytest.mark.parametrize("key", ["", "x" * 1025, "\udcff"])
def test_invalid_key_is_no_message(messages: Messages, key: str) -> None:
    assert messages.get(key) is None
    assert messages.delete_one(key) is None


# What DynamoDB leaves of a batch --------------------------------------------------------------


def scripted(*answers: Any) -> tuple[Messages, Stubber, list[float]]:
    """Messages whose batches are answered so, and the waits between them; jitter is 1."""
    client = boto3.client(
        "dynamodb", region_name="us-east-2", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    for sent, left in answers:
        unprocessed = {"messages": [request(each) for each in left]} if left else {}
        stubber.add_response(
            "batch_write_item",
            {"UnprocessedItems": unprocessed},
            {"RequestItems": {"messages": [request(each) for each in sent]}},
        )
    waits: list[float] = []
    made = Messages(client, "messages", lambda: NOW, sleep=waits.append, jitter=lambda: 1.0)
    stubber.activate()
    return made, stubber, waits


def request(number: int) -> Any:
    return {"PutRequest": {"Item": message_row(message(number), LIVE)}}


def test_unprocessed_items_are_retried() -> None:
    messages, stubber, waits = scripted(((1, 2, 3), (2, 3)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), ()))
    messages.put([(message(each), LIVE) for each in (1, 2, 3)])
    stubber.assert_no_pending_responses()
    assert waits == [0.05, 0.1, 0.05]


def test_write_gives_up_when_no_item_is_processed() -> None:
    messages, stubber, waits = scripted(*[((1,), (1,))] * MAX_FRUITLESS_ATTEMPTS)
    with pytest.raises(ChatError) as caught:
        messages.put([(message(1), LIVE)])
    assert caught.value.code == "throttled"
    assert "again" in caught.value.hint
    stubber.assert_no_pending_responses()
    assert 60 < sum(waits) < 120


def test_permanent_failure_is_raised() -> None:
    messages, stubber, _ = scripted()
    stubber.add_client_error(
        "batch_write_item", "AccessDeniedException", expected_params={"RequestItems": ANY}
    )
    with pytest.raises(ClientError):
        messages.put([(message(1), LIVE)])


def test_reads_are_consistent() -> None:
    client = boto3.client(
        "dynamodb", region_name="us-east-2", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        stubber.add_response(
            "query",
            {"Items": []},
            {
                "TableName": "messages",
                "KeyConditionExpression": "room = :room AND id > :after",
                "ExpressionAttributeValues": {":room": {"S": ROOM}, ":after": {"S": "a"}},
                "ConsistentRead": True,
                "Limit": 7,
            },
        )
        assert Messages(client, "messages", lambda: NOW).read("a", 7) == MessagePage()
