"""A message to a large room is AWS Lambda's work in parallel; what that cannot do is kept and seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nwchat.large_rooms import segments
from nwchat.model.ids import dedup_room
from nwchatctl.aws.awslambda.invoke import invoke_segments
from tests.e2e.support.chat import Chat, Player, connection_row, eventually, unique
from tests.e2e.support.sandbox import Sandbox

SOCKETS = 40
PARTS = segments.MIN_SEGMENTS


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox) -> Iterator[Chat]:
    made = Chat(sandbox, "e2e-fanout", {"NWCHAT_FANOUT__THRESHOLD": "5"})
    made.deploy()
    yield made
    assert made.nwchatctl("destroy", "--delete-data", "--confirm", made.name).code == 0


@contextmanager
def without(chat: Chat, function: str, sid: str) -> Iterator[None]:
    """While the role of a function lacks the statement `sid`."""
    iam, role = chat.sandbox.client("iam", root=True), f"{chat.function(function)}-us-east-2"
    whole = iam.get_role_policy(RoleName=role, PolicyName="nwchat")["PolicyDocument"]

    def hold(statements: list[Any]) -> None:
        policy = {**whole, "Statement": statements}
        iam.put_role_policy(RoleName=role, PolicyName="nwchat", PolicyDocument=json.dumps(policy))

    hold([each for each in whole["Statement"] if each["Sid"] != sid])
    try:
        yield
    finally:
        hold(whole["Statement"])


def received_texts(player: Player, *texts: str) -> Counter[str]:
    """How often the player got which of the texts, until it has got the last of them."""
    found: Counter[str] = Counter()
    while texts[-1] not in found:
        frame = player.receive()
        if frame.get("message") in texts:
            found[frame["message"]] += 1
    return found


def fanned_out(chat: Chat) -> list[dict[str, object]]:
    """What the runs of `fanout` have logged as sent."""
    logs = chat.sandbox.client("logs", root=True)
    group = f"/aws/lambda/{chat.function('fanout')}"
    lines = [
        line
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
        for line in event["message"].splitlines()
        if line.startswith("{")
    ]
    return [each for each in map(json.loads, lines) if each.get("message") == "sent"]


def test_large_room_receives_message_once(chat: Chat) -> None:
    text, last = unique(), unique("last")
    chat.put_connections(connection_row("stale"))
    with chat.players(SOCKETS) as players:
        sender = players[0]
        sender.send(text)
        # Every segment has ended before the next message is sent: what came twice has come by then.
        eventually(lambda: len(fanned_out(chat)), PARTS)
        sender.send(last)
        assert [received_texts(each, text, last)[text] for each in players] == [1] * SOCKETS
    sent = [each for each in fanned_out(chat) if each["segment"] is not None][:PARTS]
    assert {each["segment"] for each in sent} == set(range(PARTS))
    # The sender got its echo from `message` itself.
    assert sum(int(str(each["delivered"])) for each in sent) == SOCKETS - 1
    assert sum(int(str(each["gone"])) for each in sent) == 1
    assert "stale" not in chat.rows()
    assert chat.json("status")["dead_letters"] == 0


def test_a_small_room_needs_no_fanout(chat: Chat) -> None:
    chat.wait_until_empty()
    before = len(fanned_out(chat))
    text = unique()
    with chat.players(5) as players:
        players[0].send(text)
        for each in players:
            each.receive_text(text)
    assert len(fanned_out(chat)) == before


def test_operator_delegates_broadcast_and_sees_result(chat: Chat) -> None:
    chat.wait_until_empty()
    chat.put_connections(connection_row("stale-1"), connection_row("stale-2"))
    room = dedup_room("broadcast", unique())
    chat.put(chat.messages_table, [{"room": {"S": room}, "id": {"S": "-"}, "message_id": {"S": "m"}}])
    text = unique()

    def progress() -> segments.SegmentProgress:
        key = {"room": {"S": room}, "id": {"S": "-"}}
        found = chat.dynamodb.get_item(TableName=chat.messages_table, Key=key, ConsistentRead=True)
        return segments.progress_of(found["Item"])

    with chat.players(12) as players:
        parts = segments.split_room(
            json.dumps({"message": text}), "id", rows=14, segment_size=1000, rate=1000, report=room
        )
        assert invoke_segments(chat.sandbox.client("lambda"), chat.function("fanout"), parts) == []
        eventually(lambda: progress().finished, PARTS)
        for each in players:
            each.receive_text(text)
    counts = progress().counts
    assert (counts.recipients, counts.delivered, counts.gone, counts.forgotten) == (14, 12, 2, 2)
    assert (counts.refused, counts.failed) == (0, 0)


def test_failed_segment_is_retried_and_then_shown_by_status(chat: Chat) -> None:
    chat.wait_until_empty()
    text = unique()
    with without(chat, "fanout", "Connections"), chat.players(6) as players:
        players[0].send(text)
        # Whoever sent it has it, whatever becomes of the others.
        players[0].receive_text(text)
        eventually(lambda: chat.json("status")["dead_letters"], PARTS)
    sqs = chat.sandbox.client("sqs", root=True)
    url = sqs.get_queue_url(QueueName=f"nwchat-{chat.name}-dead-letters")["QueueUrl"]
    status = chat.nwchatctl("status").out
    assert f"{PARTS} segments of messages to all were not sent" in status
    assert f"aws sqs receive-message --queue-url {url}" in status
    letter = sqs.receive_message(QueueUrl=url)["Messages"][0]
    lost = segments.from_event(json.loads(letter["Body"])["requestPayload"])
    assert json.loads(lost.frame)["message"] == text
    sqs.purge_queue(QueueUrl=url)
    assert chat.json("status")["dead_letters"] == 0


def test_message_function_posts_what_it_cannot_delegate(chat: Chat) -> None:
    chat.wait_until_empty()
    text = unique()
    with without(chat, "message", "Fanout"):
        before = len(fanned_out(chat))
        with chat.players(8) as players:
            players[0].send(text)
            assert [received_texts(each, text) for each in players] == [Counter({text: 1})] * 8
    assert len(fanned_out(chat)) == before
