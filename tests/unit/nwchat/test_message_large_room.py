"""A message to a large room: when a room is large, who is told from here, what becomes of segments."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nwchat.config import FanOut
from nwchat.large_rooms.invoker import FailedInvocation
from nwchat.large_rooms.segments import Segment
from nwchat.storage.table_size import CACHE_SECONDS, TableSize
from tests.unit.nwchat.fake_chat import Chat, FakeStore, room

NAMES = ("a", "b", "c", "me", "n")


class Lambda:
    """Takes segments, but for those whose numbers are in `refused`."""

    def __init__(self, *refused: int) -> None:
        self.refused = refused
        self.took: list[Segment] = []

    def __call__(self, segments: Sequence[Segment]) -> list[FailedInvocation]:
        self.took += [each for each in segments if each.segment not in self.refused]
        return [FailedInvocation(each, "too many") for each in segments if each.segment in self.refused]


def chat(store: FakeStore, fanout: Lambda, threshold: int, **config: Any) -> Chat:
    made = Chat(store, fan_out=FanOut("f:live", threshold, 10, 400), **config)
    made.services = replace(made.services, invoke_fanout=fanout, estimated_size=lambda seen: seen + 90)
    return made


@pytest.mark.parametrize(("threshold", "large"), [(4, True), (5, False)])
def test_more_than_the_threshold_is_large(threshold: int, large: bool) -> None:
    fanout = Lambda()
    made = chat(room(*NAMES), fanout, threshold)
    assert made.send("hi") == {"statusCode": 200}
    assert bool(fanout.took) == large
    assert set(made.gateway.got) == ({"me"} if large else set(NAMES))


def test_the_segments_of_a_large_room() -> None:
    fanout = Lambda()
    made = chat(room(*NAMES), fanout, 4)
    made.send("hi")
    # 95 connections, ten a segment.
    assert [each.segment for each in fanout.took] == [*range(10)]
    assert {(each.segments, each.rate, each.skip) for each in fanout.took} == {(10, 40.0, ("me",))}
    stored = made.store.messages[0]
    assert {each.message_id for each in fanout.took} == {stored.id}
    # What the segments send is what the sender got.
    (echo,) = made.gateway.received["me"]
    assert {json.loads(each.frame)["id"] for each in fanout.took} == {echo["id"]} == {stored.id}


def test_without_an_echo_the_sender_is_skipped_everywhere() -> None:
    fanout = Lambda()
    made = chat(room(*NAMES), fanout, 1, echo_to_sender=False)
    made.send("hi")
    assert made.gateway.got == {}
    assert {each.skip for each in fanout.took} == {("me",)}


def test_refused_segments_are_posted_locally() -> None:
    # The sender's own row is in one of them.
    fanout = Lambda(0, 3)
    made = chat(room(*(f"c{each:02}" for each in range(40)), "me"), fanout, 4)
    assert made.send("hi") == {"statusCode": 200}
    segments = len(fanout.took) + 2
    rows = sorted(made.store.rows)
    missed = {*rows[0::segments], *rows[3::segments]}
    assert "me" in missed
    assert {name: len(got) for name, got in made.gateway.got.items()} == dict.fromkeys(missed, 1)
    logged = [line for line in made.logged() if line["message"] == "sent from here"]
    assert [(line["level"], line["segment"], line["why"]) for line in logged] == [
        ("WARNING", 0, "too many"),
        ("WARNING", 3, "too many"),
    ]


def test_without_the_function_no_room_is_large() -> None:
    made = Chat(room(*NAMES), fan_out=FanOut("", 1))
    made.send("hi")
    assert set(made.gateway.got) == set(NAMES)


def test_table_error_while_sizing_the_room() -> None:
    """Whoever was read by then gets the message, as in a small room."""
    store = room("a", "me")
    store.broken = "scan"
    made = chat(store, Lambda(), 4)
    assert made.send("hi") == {"statusCode": 500}
    assert set(made.gateway.got) == {"a", "me"}


def test_table_size_is_read_periodically() -> None:
    asked: list[int] = []
    now = 0.0

    def ask() -> int:
        asked.append(1)
        if len(asked) == 2:
            raise OSError("away")
        return 1000

    size = TableSize(ask, logging.Logger("quiet", logging.CRITICAL), lambda: now)
    assert [size.at_least(5), size.at_least(2000), len(asked)] == [1000, 2000, 1]
    now = CACHE_SECONDS
    # What is not known any better is as it was.
    assert [size.at_least(5), len(asked)] == [1000, 2]
