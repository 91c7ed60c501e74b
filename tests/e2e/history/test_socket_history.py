"""The history over the socket: what a client that was away asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nwchat.model.ids import message_expiry, ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import MAX_PAYLOAD_BYTES, Message, to_json_dict
from tests.e2e.support.chat import Chat, Frame, Player, now_ms

COUNT = 230


@pytest.fixture(scope="module")
def stored(chat: Chat) -> Iterator[list[Message]]:
    """The newest messages in the history, oldest first; long ones, so that a page of 200 is no frame."""
    now = now_ms()
    made = [
        Message(ulid(now + number, bytes(10)), f"{number} " + "€" * 990, "tchalvak", "128274", now + number)
        for number in range(COUNT)
    ]
    chat.put(chat.messages_table, (message_row(each, message_expiry(each.date, 1)) for each in made))
    # One that TTL has not come to yet is no message any more.
    gone = Message(ulid(now + COUNT, bytes(10)), "expired", "", "", now)
    chat.put(chat.messages_table, [message_row(gone, now // 1000 - 1)])
    yield made
    for each in [*made, gone]:
        chat.dynamodb.delete_item(
            TableName=chat.messages_table, Key={"room": {"S": "main"}, "id": {"S": each.id}}
        )


@pytest.fixture(scope="module")
def reader(chat: Chat) -> Iterator[Player]:
    with chat.players(1) as (one,):
        yield one


def ask(reader: Player, **asked: object) -> Frame:
    reader.send({"action": "history", **asked})
    text = reader.socket.recv(timeout=60)
    assert isinstance(text, str)
    assert len(text.encode()) <= MAX_PAYLOAD_BYTES
    answer: Frame = json.loads(text)
    if answer["type"] == "history":
        assert set(answer) == {"type", "messages", "before", "after"}
    return answer


def frames(messages: list[Message]) -> list[dict[str, str]]:
    return [to_json_dict(each) for each in messages]


def test_the_newest_page(reader: Player, stored: list[Message]) -> None:
    answer = ask(reader, limit=3)
    assert answer["messages"] == frames(stored[-3:])
    assert (answer["before"], answer["after"]) == (stored[-3].id, None)


def test_without_a_limit_a_page_is_50_or_what_fits(reader: Player, stored: list[Message]) -> None:
    # 50 of these would be more than a frame may hold: what is left out is at the far end.
    answer = ask(reader)
    count = len(answer["messages"])
    assert 30 < count < 50
    assert answer["messages"] == frames(stored[-count:])
    assert answer["before"] == stored[-count].id


@pytest.mark.parametrize("limit", [7, 200])
def test_back_to_the_beginning_and_forth_again(reader: Player, stored: list[Message], limit: int) -> None:
    back: list[dict[str, str]] = []
    cursor: str | None = None
    while len(back) < 100:
        answer = ask(reader, limit=limit, **({"before": cursor} if cursor else {}))
        assert 0 < len(answer["messages"]) <= limit
        back[:0] = answer["messages"]
        cursor = answer["before"]
    assert back == frames(stored[-len(back) :])
    forth: list[dict[str, str]] = []
    after: str | None = stored[-101].id
    while after is not None:
        answer = ask(reader, limit=limit, after=after)
        assert 0 < len(answer["messages"]) <= limit
        forth += answer["messages"]
        after = answer["after"]
    assert forth == frames(stored[-100:])


def test_between_two_ids(reader: Player, stored: list[Message]) -> None:
    answer = ask(reader, before=stored[20].id, after=stored[10].id)
    assert answer["messages"] == frames(stored[11:20])
    assert ask(reader, before=stored[10].id, after=stored[20].id)["messages"] == []


def test_nothing_is_after_the_last(reader: Player, stored: list[Message]) -> None:
    answer = ask(reader, after=stored[-1].id)
    assert answer == {"type": "history", "messages": [], "before": None, "after": None}


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": -1},
        {"limit": 10**40},
        {"limit": 1.5},
        {"limit": "5"},
        {"limit": True},
        {"limit": []},
        {"before": "x"},
        {"before": 5},
        {"after": ""},
        {"after": "z" * 26},
        {"after": {"id": 1}},
    ],
)
def test_what_is_no_request(reader: Player, asked: Frame) -> None:
    answer = ask(reader, **asked)
    assert {**answer, "detail": ""} == {"type": "error", "code": "bad_request", "detail": ""}
    assert next(iter(asked)) in answer["detail"]


@pytest.mark.parametrize("limit", [1, 200])
def test_the_limits_of_the_limit_are_allowed(reader: Player, stored: list[Message], limit: int) -> None:
    assert ask(reader, limit=limit)["messages"][-1] == frames(stored)[-1]
