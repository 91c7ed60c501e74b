"""Floods from one address against its budget: what the others receive, and which sockets are closed."""

from __future__ import annotations

import json
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.support.chat import SECONDS, Chat, Frame, Player, unique
from tests.e2e.support.sandbox import Sandbox

WINDOW = 1_000_000
"""Seconds, so many that all tests are within one window."""


@pytest.fixture(scope="module")
def limited(sandbox: Sandbox) -> Chat:
    made = Chat(
        sandbox,
        "e2e-floods",
        {
            "NWCHAT_CHAT__SENDER_MESSAGES": "30",
            "NWCHAT_CHAT__RATE_SECONDS": str(WINDOW),
            "NWCHAT_CHAT__ADDRESS_CONNECTIONS": "13",
        },
    )
    made.deploy()
    return made


@pytest.fixture(autouse=True)
def full_budget(limited: Chat) -> None:
    """Each test begins with a budget of which nothing is spent."""
    pages = limited.dynamodb.get_paginator("scan").paginate(TableName=limited.messages_table)
    for row in (row for page in pages for row in page["Items"]):
        if row["room"]["S"].startswith("budget#") and row["id"]["S"] != "sockets":
            key = {name: row[name] for name in ("room", "id")}
            limited.dynamodb.delete_item(TableName=limited.messages_table, Key=key)


def received(player: Player, until: str) -> list[Frame]:
    """The frames up to the pong that follows, or all until the socket was closed."""
    frames: list[Frame] = []
    try:
        player.send({"action": "ping"})
        while True:
            frames.append(player.receive())
            if frames[-1]["type"] == until:
                return frames
    except ConnectionClosed:
        return frames


def refusals(frames: list[Frame]) -> list[int]:
    """The `retry_after` of each frame that says `rate_limited`."""
    return [each["retry_after"] for each in frames if each.get("code") == "rate_limited"]


def test_twelve_sockets_of_one_address_are_one_sender(limited: Chat) -> None:
    with limited.players(12) as flooders:
        for number in range(5):
            for each in flooders:
                each.send(f"spam {number}")
        frames = [received(each, "pong") for each in flooders]
    stored = {each["id"] for each in frames[0] if each["type"] == "message"}
    assert len(stored) == 30
    # Each socket is told once, and until when.
    told = [refusals(each) for each in frames]
    assert max(map(len, told)) == 1
    assert all(0 < each <= WINDOW for seconds in told for each in seconds)


def test_history_flood_is_closed(limited: Chat) -> None:
    with limited.players(1) as (flooder,):
        try:
            for _ in range(80):
                flooder.send({"action": "history"})
        except ConnectionClosed:
            pass
        frames = received(flooder, "pong")
        with pytest.raises(ConnectionClosed):
            received_forever(flooder)
    assert [each["type"] for each in frames].count("history") == 30
    assert len(refusals(frames)) == 1


def received_forever(player: Player) -> None:
    while True:
        player.receive()


def test_history_over_http_has_the_same_budget(limited: Chat) -> None:
    url = limited.json("status")["endpoints"]["history"] + "/messages"
    statuses = []
    for _ in range(31):
        try:
            with urlopen(url, timeout=SECONDS) as answer:
                statuses.append(answer.status)
        except HTTPError as error:
            with error:
                statuses.append(error.code)
                assert json.loads(error.read())["code"] == "rate_limited"
                assert 0 < int(error.headers["Retry-After"]) <= WINDOW
    assert statuses == [200] * 30 + [429]


def test_address_has_at_most_so_many_sockets(limited: Chat) -> None:
    limited.wait_until_empty()
    with ExitStack() as stack:
        (*_, last) = stack.enter_context(limited.players(13))
        with pytest.raises(InvalidStatus) as refused, limited.players(1):
            pass
        assert refused.value.response.status_code == 429
        # Its place is free when the chat knows that it is closed.
        last.socket.close()
        limited_again(limited)


def limited_again(limited: Chat) -> None:
    text = unique()
    for _ in range(100):
        try:
            with limited.players(1) as (one,):
                one.send(text)
                one.receive_text(text)
                return
        except InvalidStatus as refused:
            assert refused.response.status_code == 429
    raise AssertionError("no place becomes free")


def test_smoke_is_within_the_budget(limited: Chat) -> None:
    done = limited.nwchatctl("smoke", "--json")
    assert [each["name"] for each in done.data["steps"] if not each["ok"]] == []
