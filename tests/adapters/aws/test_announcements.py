"""The rows that remember announcements, on moto: begun once, taken up from whom it was seen with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nwchat.keys import dedup_room
from nwchat.scanning import Part
from nwchat.store import Dedup, Store
from nwchat.wire import Message
from nwchatctl.aws.announcements import Announcements
from nwchatctl.chat.announcing import Holder, Progress, State
from tests.adapters.tables import make_messages

NOW = 1_700_000_000_000
ID = "01HF7YAT00AAAAAAAAAAAAAAAA"
MESSAGE = Message(ID, "hello", "operator", "", NOW, "announcement")
ME = Holder("boot/1/2", "me on laptop", NOW + 20_000)
YOU = Holder("boot/3/4", "you on desk", NOW + 30_000)
BEGUN = State(ID, '{"id": 1}', "7", Progress(), ME)
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
def rows(client: Any) -> Announcements:
    return Announcements(client, "messages", DEDUP)


def messages(client: Any) -> list[str]:
    return [each.id for each in Store(client, "connections", "messages").page(9, NOW).messages]


def test_begun_once_with_its_message(client: Any, rows: Announcements) -> None:
    assert rows.read(NOW) is None
    assert rows.begin(BEGUN, MESSAGE, NOW // 1000 + 60, NOW)
    assert rows.read(NOW) == BEGUN
    assert not rows.begin(State("other", holder=YOU), MESSAGE, NOW // 1000 + 60, NOW)
    assert rows.read(NOW) == BEGUN
    assert messages(client) == [ID]


def test_an_ephemeral_one_is_remembered_and_its_message_is_not_stored(
    client: Any, rows: Announcements
) -> None:
    assert rows.begin(BEGUN, MESSAGE, None, NOW)
    assert rows.read(NOW) == BEGUN
    assert messages(client) == []


def test_its_day_ends(rows: Announcements) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    other = State("other", holder=YOU)
    assert not rows.begin(other, MESSAGE, None, NOW + 86_399_000)
    assert rows.read(NOW + 86_399_000) == BEGUN
    assert rows.read(NOW + 86_400_000) is None, "though TTL leaves it for a while"
    assert rows.begin(other, MESSAGE, None, NOW + 86_400_000)
    assert rows.read(NOW + 86_400_000) == other


def test_taken_up_only_from_whom_it_was_seen_with(rows: Announcements) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    later = State(ID, BEGUN.frame, "7", Progress(), Holder(ME.process, ME.owner, ME.until + 1))
    assert not rows.take_up(later, YOU), "it has been heard of since"
    assert rows.take_up(BEGUN, YOU)
    assert not rows.take_up(BEGUN, ME)
    found = rows.read(NOW)
    assert found is not None
    assert found.holder == YOU


def test_how_far_it_came_is_written_by_its_holder_alone_and_let_go(rows: Announcements) -> None:
    rows.begin(BEGUN, MESSAGE, None, NOW)
    further = Progress((Part(1, 4, "x"),), ("a",))
    assert not rows.save(State(ID, progress=Progress((), ()), holder=YOU), YOU)
    assert rows.save(State(ID, progress=further, holder=None), ME)
    assert rows.read(NOW) == State(ID, BEGUN.frame, "7", further, None)
    assert rows.take_up(State(ID, progress=further), YOU)
    assert not rows.save(State(ID, progress=further, holder=None), ME)


def test_one_of_an_earlier_release_was_sent_at_once(client: Any, rows: Announcements) -> None:
    row = {"room": {"S": dedup_room("broadcast", "restart")}, "id": {"S": "-"}, "message_id": {"S": ID}}
    client.put_item(TableName="messages", Item=row)
    found = rows.read(NOW)
    assert found == State(ID, progress=Progress((), ()))
    assert found.progress.finished
