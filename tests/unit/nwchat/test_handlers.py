"""The handlers of connect, disconnect and message."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from nwchat.aws.signing import Credentials
from nwchat.config import FanOut
from nwchat.connect import connect
from nwchat.disconnect import disconnect
from nwchat.message import message
from nwchat.model.ids import dedup_room, first_ulid
from nwchat.model.rows import Connection
from nwchat.model.wire import Message
from tests.paths import EVENTS
from tests.unit.nwchat.delivery import virtual_transport
from tests.unit.nwchat.fake_chat import NOW, Chat, FakeGateway, FakeStore, error, frame, handshake, room


def test_message_is_stored_and_sent_to_all_including_sender() -> None:
    chat = Chat(room("a", "me", "b"))
    body = json.dumps({"message": " hi\r\nthere ", "uname": "u", "date": "1", "sender_id": "7"})
    assert chat.send(body) == {"statusCode": 200}
    sent = frame(1, "hi\nthere", "u", "7")
    assert chat.gateway.received == {"me": [sent], "a": [sent], "b": [sent]}
    assert chat.store.messages == [Message(first_ulid(1), "hi\nthere", "u", "7", NOW)]
    assert chat.store.expiries == [NOW // 1000 + 90 * 86_400]
    assert chat.store.activity == [("me", NOW - 60_000, "u", "7")]


def test_sender_receives_echo_before_its_row_is_readable() -> None:
    chat = Chat(room("a"))
    chat.send("hi")
    assert chat.gateway.received == {"me": [frame(1, "hi")], "a": [frame(1, "hi")]}


def test_no_echo_when_it_is_turned_off() -> None:
    chat = Chat(room("a", "me"), echo_to_sender=False)
    chat.send("hi")
    assert chat.gateway.received == {"a": [frame(1, "hi")]}


def test_a_client_id_is_acked_and_the_same_one_stored_and_sent_once() -> None:
    chat = Chat(room("a"), echo_to_sender=False)
    body = json.dumps({"message": "hi", "sender_id": "7", "client_id": "k1"})
    ack = {"type": "ack", "client_id": "k1", "id": first_ulid(1)}
    chat.send(body, "me")
    chat.send(body, "me after reconnecting")
    assert chat.gateway.received == {
        "me": [ack],
        "me after reconnecting": [ack],
        "a": [frame(1, "hi", sender_id="7")],
    }
    assert len(chat.store.messages) == 1


def test_without_a_sender_id_the_key_is_the_connections_own() -> None:
    chat = Chat(room())
    body = json.dumps({"message": "hi", "client_id": "k1"})
    chat.send(body, "one")
    chat.send(body, "other")
    assert [(each.kind, each.owner, each.key) for each in chat.store.sent] == [
        ("socket", "one", "k1"),
        ("socket", "other", "k1"),
    ]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (None, error("empty", "the frame is empty")),
        ("", error("empty", "the frame is empty")),
        ('{"message": " ", "client_id": "k"}', error("empty", "the message is empty", client_id="k")),
        ("x" * 1001, error("too_long", "a message is at most 1000 characters")),
        ("x" * 40_000, error("too_long", "a frame is at most 32768 bytes")),
        ("[" * 30_000, error("too_long", "a message is at most 1000 characters")),
        ('{"client_id": "k"}', error("bad_request", "message must be a string", client_id="k")),
    ],
)
def test_only_sender_is_notified_of_refused_frame(body: str | None, answer: dict[str, str]) -> None:
    chat = Chat(room("a", "me"))
    assert chat.send(body) == {"statusCode": 200}
    assert chat.gateway.received == {"me": [answer]}
    assert chat.store.messages == []
    assert chat.store.activity == []


def test_over_the_rate() -> None:
    store = room("a", "me")
    store.allowed = 1
    chat = Chat(store)
    chat.send("one")
    assert chat.send('{"message": "two", "client_id": "k"}') == {"statusCode": 200}
    refused = {**error("rate_limited", "at most 10 messages in 10 seconds", client_id="k"), "retry_after": 10}
    assert chat.gateway.received == {"me": [frame(1, "one"), refused], "a": [frame(1, "one")]}
    assert len(store.messages) == 1


def test_a_ping_that_reaches_the_function_is_answered() -> None:
    chat = Chat(room("a", "me"))
    assert chat.send('{"action": "ping"}') == {"statusCode": 200}
    assert chat.gateway.received == {"me": [{"type": "pong"}]}


def test_heartbeat_text_is_answered_in_text_and_not_stored() -> None:
    chat = Chat(room("a", "me"))
    assert chat.send("ping") == {"statusCode": 200}
    assert chat.gateway.got == {"me": [b"pong"]}
    assert list(chat.store.messages) == []


def test_history_over_the_socket() -> None:
    chat = Chat(room())
    for text in ("one", "two", "three"):
        chat.send(text, "other")
    chat.send('{"action": "history", "limit": 2}')
    chat.send(json.dumps({"action": "history", "after": first_ulid(1), "limit": 1}))
    one, two, three = frame(1, "one"), frame(2, "two"), frame(3, "three")
    assert one not in chat.gateway.received["me"]
    assert chat.gateway.received["me"] == [
        {"type": "history", "messages": [two, three], "before": two["id"], "after": None},
        {"type": "history", "messages": [two], "before": two["id"], "after": two["id"]},
    ]


def test_the_operators_own_test_event() -> None:
    chat = Chat(room("a", "b"))
    event = json.loads((EVENTS / "on-message.json").read_text())
    assert message(event, chat.services, chat.poster, math.inf, chat.log) == {"statusCode": 200}
    sent = frame(1, "test from test event in aws console", "xxxxxxusername", "128274")
    assert chat.gateway.received == {"a": [sent], "b": [sent]}
    assert len(chat.store.messages) == 1
    assert chat.store.activity == []


@pytest.mark.parametrize(
    "body", ["", "x" * 2000, '{"message": "a", "client_id": "k"}', '{"action": "history"}']
)
def test_event_without_connection_sends_no_reply(body: str) -> None:
    chat = Chat(room())
    assert message({"body": body}, chat.services, chat.poster, math.inf, chat.log) == {"statusCode": 200}
    assert chat.gateway.received == {}


def test_row_of_closed_connection_is_deleted_without_affecting_others() -> None:
    store = room("gone", "b")
    store.rows["young"] = Connection("young", NOW - 1)
    gateway = FakeGateway({"gone": (410, b""), "young": (410, b"")})
    chat = Chat(store, gateway)
    assert chat.send("hi") == {"statusCode": 200}
    assert list(store.rows) == ["b", "young"]
    assert gateway.received == {"me": [frame(1, "hi")], "b": [frame(1, "hi")]}


def test_refused_and_failing_posts_are_logged_with_their_reason() -> None:
    gateway = FakeGateway({"a": (403, b'{"message":"Forbidden"}'), "b": "reset by peer"})
    chat = Chat(room("a", "b", "c"), gateway)
    assert chat.send("hi") == {"statusCode": 200}
    assert gateway.received == {"me": [frame(1, "hi")], "c": [frame(1, "hi")]}
    (line,) = chat.logged()
    assert (line["level"], line["message"]) == ("WARNING", "sent")
    assert (line["refused"], line["failed"], line["delivered"]) == (1, 1, 2)
    assert sorted(line["reasons"]) == [["403 Forbidden", 1], ["reset by peer", 1]]


def test_message_is_not_acked_when_deadline_ends_posting() -> None:
    chat = Chat(room("a", "b"))
    body = '{"message": "hi", "client_id": "k"}'
    # A second is kept for the answer, and none is left for posts.
    assert chat.send(body, deadline=1.0) == {"statusCode": 500}
    assert chat.gateway.received == {"me": [error("internal", UNSENT, client_id="k")]}
    assert [(line["level"], line["message"]) for line in chat.logged()] == [
        ("WARNING", "sent"),
        ("ERROR", "fan-out incomplete"),
    ]
    assert chat.send(body) == {"statusCode": 200}
    sent = frame(1, "hi")
    ack = {"type": "ack", "client_id": "k", "id": sent["id"]}
    assert chat.gateway.received["me"][1:] == [sent, ack]
    assert chat.gateway.received["a"] == chat.gateway.received["b"] == [sent]
    assert len(chat.store.messages) == 1


INTERNAL = "the chat could not take this; try again"
UNSENT = "the message is stored, but may not have reached everyone; send it again with the same client_id"


@pytest.mark.parametrize("broken", ["record_activity", "append"])
def test_internal_error_is_sent_and_logged_with_stack(broken: str) -> None:
    store = room("a", "me")
    store.broken = broken
    chat = Chat(store)
    assert chat.send('{"message": "secret words", "client_id": "k"}') == {"statusCode": 500}
    assert chat.gateway.received == {"me": [error("internal", INTERNAL, client_id="k")]}
    (line,) = chat.logged()
    assert (line["level"], line["errorType"], "errorMessage" in line) == ("ERROR", "OSError", False)
    assert any("_may_break" in each for each in line["stackTrace"])
    assert "secret words" not in chat.output.getvalue()


def test_stored_message_is_acked_after_a_retry_when_fanout_fails() -> None:
    store = room("a")
    store.broken = "scan"
    chat = Chat(store)
    body = '{"message": "hi", "client_id": "k"}'
    assert chat.send(body) == {"statusCode": 500}
    sent, failed = frame(1, "hi"), error("internal", UNSENT, client_id="k")
    assert chat.gateway.received == {"me": [sent, failed], "a": [sent]}
    assert [line["message"] for line in chat.logged()] == ["fan-out broke off"]
    store.broken = ""
    assert chat.send(body) == {"statusCode": 200}
    ack = {"type": "ack", "client_id": "k", "id": first_ulid(1)}
    assert chat.gateway.received == {"me": [sent, failed, sent, ack], "a": [sent, sent]}
    assert chat.send(body) == {"statusCode": 200}
    assert chat.gateway.received == {"me": [sent, failed, sent, ack, ack], "a": [sent, sent]}
    assert len(store.messages) == 1


def test_a_message_whose_posts_mostly_fail_is_not_acked() -> None:
    gateway = FakeGateway({"a": "reset by peer", "b": (403, b"{}")})
    chat = Chat(room("a", "b"), gateway)
    assert chat.send('{"message": "hi", "client_id": "k"}') == {"statusCode": 500}
    assert gateway.received == {"me": [frame(1, "hi"), error("internal", UNSENT, client_id="k")]}
    line = next(line for line in chat.logged() if line["message"] == "fan-out incomplete")
    assert line["reason"] == "2 of 3 posts failed"


def test_a_message_that_cannot_be_marked_as_sent_is_acked_and_sent_again() -> None:
    store = room("a")
    store.broken = "mark_sent"
    chat = Chat(store)
    body = '{"message": "hi", "client_id": "k"}'
    ack = {"type": "ack", "client_id": "k", "id": first_ulid(1)}
    for times in (1, 2):
        assert chat.send(body) == {"statusCode": 200}
        assert chat.gateway.received == {"me": [frame(1, "hi"), ack] * times, "a": [frame(1, "hi")] * times}
    assert "not marked as sent" in [line["message"] for line in chat.logged()]


def test_a_deleted_message_is_not_sent_again() -> None:
    store = room("a")
    store.broken = "mark_sent"
    chat = Chat(store)
    body = '{"message": "hi", "client_id": "k"}'
    chat.send(body)
    store.messages.clear()
    chat.send(body)
    assert chat.gateway.received["a"] == [frame(1, "hi")]
    assert chat.gateway.received["me"][2:] == [{"type": "ack", "client_id": "k", "id": first_ulid(1)}]


def test_another_text_under_the_same_client_id_is_a_message_of_its_own() -> None:
    """A player who claims the sender_id of another one and guesses its client_id silences nobody."""
    chat = Chat(room("a"), echo_to_sender=False)
    forged = {"message": "forged", "sender_id": "7", "client_id": "k"}
    meant = {"message": "meant", "sender_id": "7", "client_id": "k"}
    named = {**meant, "uname": "u"}
    for _ in range(2):
        for connection, body in (("attacker", forged), ("victim", meant), ("victim", named)):
            chat.send(json.dumps(body), connection)
    acks = [{"type": "ack", "client_id": "k", "id": first_ulid(ms)} for ms in (1, 2, 3)]
    assert chat.gateway.received == {
        "attacker": [acks[0]] * 2,
        "victim": [*acks[1:]] * 2,
        "a": [
            frame(1, "forged", sender_id="7"),
            frame(2, "meant", sender_id="7"),
            frame(3, "meant", "u", "7"),
        ],
    }


def test_no_client_reaches_the_key_of_an_announcement() -> None:
    """Not with the sender_id "broadcast", under which earlier releases stored announcements."""
    chat = Chat(room())
    for sender_id in ("broadcast", "claimed", ""):
        chat.send(json.dumps({"message": "x", "sender_id": sender_id, "client_id": "restart"}))
    rooms = {each.room for each in chat.store.sent}
    assert len(rooms) == 3
    assert dedup_room("broadcast", "restart") not in rooms


@pytest.mark.parametrize("answer", [(410, b""), "reset by peer"])
def test_an_answer_that_does_not_arrive_stops_nothing(answer: virtual_transport.Answer) -> None:
    gateway = FakeGateway({"me": answer})
    chat = Chat(room("a"), gateway)
    assert chat.send('{"message": "hi", "client_id": "k"}') == {"statusCode": 200}
    assert gateway.received == {"a": [frame(1, "hi")]}
    last = chat.logged()[-1]
    assert (last["level"], last["message"]) == ("WARNING", "reply not delivered")


def test_an_answer_that_cannot_be_sent_stops_nothing() -> None:
    gateway = FakeGateway()

    def credentials() -> Credentials:
        if gateway.got:
            raise LookupError("no AWS credentials")
        return Credentials("AK", "secret")

    chat = Chat(room("a"), gateway, credentials=credentials)
    assert chat.send('{"message": "hi", "client_id": "k"}') == {"statusCode": 200}
    assert chat.gateway.received == {"me": [frame(1, "hi")], "a": [frame(1, "hi")]}
    last = chat.logged()[-1]
    assert (last["message"], last["errorType"]) == ("reply failed", "LookupError")


def test_log_lines_have_ids_and_no_message_text() -> None:
    chat = Chat(room("a"))
    for body in ("secret words", "", '{"message": "secret words", "client_id": "k"}') * 2:
        chat.send(body)
    lines = chat.logged()
    assert {(line["request_id"], line["connection_id"]) for line in lines} == {("r1", "c1")}
    assert [line["message"] for line in lines] == [
        "sent",
        "refused",
        "sent",
        "sent",
        "refused",
        "sent before",
    ]
    assert "secret words" not in chat.output.getvalue()


def test_connect_stores_a_row() -> None:
    chat = Chat(FakeStore())
    assert connect(handshake(), chat.services, chat.log) == {"statusCode": 200}
    expires_at = (NOW - 5) // 1000 + 8100
    assert chat.store.rows == {"c1=": Connection("c1=", NOW - 5, expires_at, "1.2.3.4", "agent")}
    assert chat.gateway.received == {}


def test_connect_makes_do_with_less() -> None:
    chat = Chat(FakeStore())
    event = {"requestContext": {"connectionId": "c1="}, "headers": {"USER-AGENT": "x" * 300}}
    assert connect(event, chat.services, chat.log) == {"statusCode": 200}
    row = chat.store.rows["c1="]
    assert row == replace(row, connected_at=NOW, source_ip="", user_agent="x" * 256)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://www.ninjawars.net"}, 200),
        ({"origin": "HTTPS://WWW.ninjawars.net"}, 200),
        ({"ORIGIN": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://www.ninjawars.net.evil.example"}, 403),
    ],
)
def test_a_browser_from_elsewhere_is_refused(headers: dict[str, str], status: int) -> None:
    chat = Chat(FakeStore(), allowed_origins=frozenset({"https://www.ninjawars.net"}))
    assert connect(handshake(**headers), chat.services, chat.log) == {"statusCode": status}
    assert len(chat.store.rows) == (status == 200)


def test_any_origin_when_none_is_set() -> None:
    chat = Chat(FakeStore())
    assert connect(handshake(Origin="https://x"), chat.services, chat.log)["statusCode"] == 200


@pytest.mark.parametrize(
    ("offered", "headers"),
    [
        ("nwchat", {"Sec-WebSocket-Protocol": "nwchat"}),
        ("token.abc , nwchat", {"Sec-WebSocket-Protocol": "nwchat"}),
        ("nwchat2", None),
        ("", None),
    ],
)
def test_our_subprotocol_is_chosen_if_offered(offered: str, headers: dict[str, str] | None) -> None:
    chat = Chat(FakeStore())
    event = handshake(**{"sec-webSocket-protocol": offered})
    expected = {"statusCode": 200} if headers is None else {"statusCode": 200, "headers": headers}
    assert connect(event, chat.services, chat.log) == expected


def test_our_subprotocol_is_found_in_any_of_the_headers() -> None:
    """Of several of a name `headers` has the last one."""
    chat = Chat(FakeStore())
    event = handshake(**{"Sec-WebSocket-Protocol": "a.b.c"})
    event["multiValueHeaders"] = {"Sec-WebSocket-Protocol": ["nwchat", "a.b.c"]}
    answer = connect(event, chat.services, chat.log)
    assert answer["headers"] == {"Sec-WebSocket-Protocol": "nwchat"}


def test_disconnect_deletes_row_and_is_idempotent() -> None:
    chat = Chat(room("c1", "c2"))
    event = {"requestContext": {"connectionId": "c1", "disconnectStatusCode": 1001}}
    assert disconnect(event, chat.services, chat.log) == {"statusCode": 200}
    assert disconnect(event, chat.services, chat.log) == {"statusCode": 200}
    assert list(chat.store.rows) == ["c2"]


@pytest.mark.parametrize("event", [{}, {"requestContext": None}, {"requestContext": {}, "headers": None}])
def test_an_event_without_a_connection_stores_and_deletes_nothing(event: dict[str, Any]) -> None:
    chat = Chat(room("c1"))
    assert connect(event, chat.services, chat.log) == {"statusCode": 200}
    assert disconnect(event, chat.services, chat.log) == {"statusCode": 200}
    assert list(chat.store.rows) == ["c1"]


def test_small_room_respects_the_sending_rate() -> None:
    chat = Chat(room(*(f"c{number:03}" for number in range(120))), fan_out=FanOut("", rate=100))
    chat.transport.seconds = 0
    chat.send("hi")
    assert len(chat.gateway.got) == 121
    assert chat.transport.now > 1.1


def test_slow_reader_is_closed_by_the_message_and_logged() -> None:
    chat = Chat(room("me", *(f"c{number:02}" for number in range(30))))
    chat.gateway.answers["c07"] = (429, b"")
    assert chat.send("hi") == {"statusCode": 200}
    assert chat.gateway.closed == ["c07"]
    (line,) = (each for each in chat.logged() if each["message"] == "sent")
    assert (line["level"], line["buffer_full"], line["disconnected"]) == ("INFO", 1, 1)
