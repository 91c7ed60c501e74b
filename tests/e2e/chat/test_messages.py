"""People talk over real sockets: what one says, and exactly what the others and the speaker get."""

from __future__ import annotations

import json

from nwchat.model.ids import is_ulid
from tests.e2e.support.chat import Chat, Frame, Player, eventually, gather, now_ms, unique
from tests.paths import EVENTS

MESSAGE_KEYS = {"type", "id", "message", "uname", "sender_id", "date"}


def only(frames: list[Frame]) -> Frame:
    assert len(frames) == 1, frames
    return frames[0]


def send_message(player: Player, text: str, client_id: str, **more: str) -> Frame:
    """Says it, and returns what answers it: an ack or an error."""
    player.send({"message": text, "client_id": client_id, **more})
    return player.receive_until(lambda frame: frame["type"] in ("ack", "error"))[-1]


def test_a_line_typed_into_one_socket_arrives_in_another(chat: Chat) -> None:
    text = unique("what a person types into wscat: ünï €")
    with chat.players() as (one, other):
        began = now_ms()
        one.send(text)
        here, there = gather(one, other)
        ended = now_ms()
    frame = only(there)
    assert only(here) == frame, "an echo chamber: the speaker hears it as everybody does"
    assert set(frame) == MESSAGE_KEYS
    assert {key: frame[key] for key in ("type", "message", "uname", "sender_id")} == {
        "type": "message",
        "message": text,
        "uname": "",
        "sender_id": "",
    }
    assert is_ulid(frame["id"])
    assert isinstance(frame["date"], str)
    assert began <= int(frame["date"]) <= ended


def test_live_client_is_understood_and_receives_no_new_frame_types(chat: Chat) -> None:
    text = (EVENTS / "client-message.json").read_text()
    given = json.loads(text)
    with chat.players() as (one, other):
        began = now_ms()
        one.send(text)
        # To its route by name, and the same as without.
        one.send(given | {"action": "onMessage", "message": "to its route"})
        one.send(given | {"action": "no such route", "message": "to no route"})
        here, there = gather(one, other)
        ended = now_ms()
    assert here == there
    assert [frame["message"] for frame in there] == [given["message"], "to its route", "to no route"]
    for frame in there:
        assert set(frame) == MESSAGE_KEYS
        assert (frame["type"], frame["uname"], frame["sender_id"]) == (
            "message",
            given["uname"],
            given["sender_id"],
        )
        assert began <= int(frame["date"]) <= ended, "the server's date, not the client's"
    ids = [frame["id"] for frame in there]
    assert ids == sorted(set(ids)), "one after another, so in the order of their ids"


def test_an_ack_says_on_its_way_and_a_repetition_is_sent_once(chat: Chat) -> None:
    text, key = unique(), unique("client")[:64]
    frame = {"message": text, "uname": "tchalvak", "sender_id": unique(), "client_id": key}
    with chat.players(3) as (one, again, other):
        one.send(frame)
        # While it is still being sent, a repetition may send it as well.
        first = one.receive_type("ack")
        one.send(frame)
        assert first == one.receive_type("ack") == {"type": "ack", "client_id": key, "id": first["id"]}
        # After reconnecting: another socket of the same player.
        again.send(frame)
        assert again.receive_type("ack") == first
        assert [each["message"] for each in gather(again, other)[1]] == [text]
        # The same client_id of somebody else is another message.
        again.send(frame | {"sender_id": "another"})
        assert again.receive_type("ack")["id"] != first["id"]
        other.send({"action": "history", "after": first["id"]})
        stored = other.receive_type("history")["messages"]
        assert [each["sender_id"] for each in stored if each["message"] == text] == ["another"]


def test_errors_name_what_is_wrong_and_only_the_sender_gets_them(chat: Chat) -> None:
    with chat.players() as (one, other):
        cases: list[tuple[Frame | str, str]] = [
            ("", "empty"),
            ({"message": " \u0000 "}, "empty"),
            ({"message": "x" * 1001}, "too_long"),
            ("y" * 1001, "too_long"),
            ({"message": 5}, "bad_request"),
            ({"uname": "nobody"}, "bad_request"),
            ({"action": "history", "limit": 0}, "bad_request"),
            ({"message": "hi", "client_id": "c" * 65}, "bad_request"),
        ]
        for frame, code in cases:
            one.send(frame)
            answer = one.receive()
            assert set(answer) == {"type", "code", "detail"}, frame
            assert (answer["type"], answer["code"]) == ("error", code), frame
            assert answer["detail"]
        # With a client_id, the error bears it.
        for message, code in [("", "empty"), ("x" * 1001, "too_long"), (None, "bad_request")]:
            one.send({"message": message, "client_id": "mine"})
            answer = one.receive()
            assert {**answer, "detail": ""} == {
                "type": "error",
                "code": code,
                "detail": "",
                "client_id": "mine",
            }
        # As much as is allowed is no error, and no error came to anybody else.
        one.send({"message": "z" * 1000, "uname": "u" * 41})
        frame = only(gather(one, other)[1])
    assert (frame["message"], frame["uname"]) == ("z" * 1000, "u" * 40)


def test_eleventh_message_in_ten_seconds_is_refused(chat: Chat) -> None:
    with chat.players() as (one, other):
        texts = [unique() for _ in range(11)]
        answers = [send_message(one, text, text[:64]) for text in texts]
        assert [each["type"] for each in answers] == ["ack"] * 10 + ["error"]
        assert (answers[-1]["code"], answers[-1]["client_id"]) == ("rate_limited", texts[-1][:64])
        # It is this socket that is limited, not its neighbour, and it hears on.
        here, there = gather(other, one)
    assert [frame["message"] for frame in here] == texts[:10]
    assert there == [], "its own ten came before the error"


def test_text_ping_of_a_heartbeat_is_answered_with_the_text_pong(chat: Chat) -> None:
    with chat.players() as (one, other):
        before = one.history(1)
        one.send("ping")
        assert one.socket.recv(timeout=60) == "pong"
        # What is not exactly it is a message as before.
        text = unique("ping")
        one.send(text)
        assert other.receive()["message"] == text
        assert [each["message"] for each in one.history(2)][1:] == [text]
        assert [each["message"] for each in one.history(2)][:1] == [each["message"] for each in before]


def test_ping_is_answered_with_pong_and_nothing_else(chat: Chat) -> None:
    with chat.players() as (one, other):
        one.send({"action": "ping"})
        assert one.receive() == {"type": "pong"}
        assert gather(one, other) == [[], []]


def test_row_is_deleted_on_disconnect(chat: Chat) -> None:
    agent = unique("leaves")

    def here() -> int:
        return sum(row.get("user_agent") == {"S": agent} for row in chat.rows().values())

    with chat.players(2, user_agent_header=agent):
        assert here() == 2
    eventually(here, 0)


def test_row_is_deleted_after_unclean_disconnect(chat: Chat) -> None:
    agent = unique("vanishes")
    with chat.players(1, user_agent_header=agent) as (one,):
        # The TCP connection ends without a close frame.
        one.socket.close_socket()
        eventually(lambda: [row for row in chat.rows().values() if row.get("user_agent") == {"S": agent}], [])
