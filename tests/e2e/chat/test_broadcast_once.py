"""An announcement under an id, with 300 sockets: begun twice at once, killed half-way, stopped, taken up."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from nwchat.model.ids import dedup_room
from nwchatctl.chat.broadcast_progress import Checkpoint
from tests.e2e.support.chat import Chat, Player, gather, unique

SOCKETS = 300


@pytest.fixture(scope="module")
def players(chat: Chat) -> Iterator[tuple[Player, ...]]:
    chat.wait_until_empty()
    with chat.players(SOCKETS) as players:
        yield players


def received_ids(text: str, players: tuple[Player, ...]) -> list[Counter[str]]:
    """For each socket, the ids under which it got that text, and how often."""
    return [
        Counter(frame["id"] for frame in frames if frame.get("message") == text)
        for frames in gather(*players)
    ]


def stored(chat: Chat, text: str) -> list[str]:
    lines = chat.nwchatctl("history", "tail", "-n", "20", "--json").out.splitlines()
    return [line for line in lines if text in line]


def test_two_concurrent_runs_deliver_once(chat: Chat, players: tuple[Player, ...]) -> None:
    text = unique()
    words = ("broadcast", text, "--id", unique("id"), "--json", "--rate", "300")
    with chat.running(*words) as left, chat.running(*words) as right:
        done = [left.wait(), right.wait()]
    assert [each.code for each in done] == [0, 0], done
    sent = sorted((each.data for each in done), key=lambda data: bool(data["already_sent"]))
    assert [each["already_sent"] for each in sent] == [False, True]
    assert (sent[0]["recipients"], sent[0]["delivered"]) == (SOCKETS, SOCKETS)
    assert received_ids(text, players) == [Counter({sent[0]["id"]: 1})] * SOCKETS
    assert len(stored(chat, text)) == 1


@pytest.mark.parametrize("via", ["here", "lambda"])
def test_killed_run_is_resumed(chat: Chat, players: tuple[Player, ...], via: str) -> None:
    text, key = unique(), unique("id")
    with chat.running("broadcast", text, "--id", key, "--rate", "60") as killed:
        wait_for_checkpoint(chat, key)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
    again = chat.json("broadcast", text, "--id", key, "--via", via)
    assert (again["already_sent"], again["resumed"]) == (False, True)
    assert 0 < again["recipients"] < SOCKETS, "it went on from a checkpoint"
    assert chat.json("broadcast", text, "--id", key)["already_sent"] is True
    ids = received_ids(text, players)
    assert {tuple(each) for each in ids} == {(again["id"],)}, "everybody, under one id"
    assert len(stored(chat, text)) == 1


def wait_for_checkpoint(chat: Chat, key: str) -> None:
    """Until a part of the announcement is written down as done with."""
    deadline = time.monotonic() + 60
    where = {"room": {"S": dedup_room("broadcast", key)}, "id": {"S": "-"}}
    while time.monotonic() < deadline:
        row = chat.dynamodb.get_item(TableName=chat.messages_table, Key=where).get("Item", {})
        if row and len(Checkpoint.from_json(row["progress"]["S"]).parts) < 4:
            return
        time.sleep(0.05)
    raise AssertionError("no part of it was ever done with")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_run_reports_progress_and_is_resumed(
    chat: Chat, players: tuple[Player, ...], number: int, code: int
) -> None:
    text, key = unique(), unique("id")
    with chat.running("broadcast", text, "--id", key, "--rate", "60", "--json") as running:
        wait_for_checkpoint(chat, key)
        stopped = running.wait(stop=number)
    assert stopped.code == code
    assert stopped.data["stopped"] in ("interrupted", "terminated")
    assert 0 < stopped.data["recipients"] < SOCKETS
    assert stopped.data["recipients"] == stopped.data["delivered"]
    assert "the same command again goes on" in stopped.err
    again = chat.json("broadcast", text, "--id", key)
    assert again["resumed"] is True
    assert {tuple(each) for each in received_ids(text, players)} == {(again["id"],)}


def test_timeout_stops_run_with_report(chat: Chat, players: tuple[Player, ...]) -> None:
    assert len(players) == SOCKETS
    text = unique()
    done = chat.nwchatctl("--timeout", "15", "broadcast", text, "--rate", "5", "--json")
    assert done.code == 5
    assert done.data["stopped"] == "timed out"
    assert 0 < done.data["recipients"] < SOCKETS
