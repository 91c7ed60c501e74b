from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model import wire
from nwchat.model.ids import ulid
from nwchat.model.wire import (
    Frame,
    HistoryRequest,
    InvalidFrame,
    Message,
    MessageRequest,
    Page,
    Ping,
    TextPing,
)
from tests.paths import EVENTS

ID_1, ID_2, ID_3 = (ulid(ms, bytes(10)) for ms in (1_000, 2_000, 3_000))
BAD_CLIENT_ID = InvalidFrame("bad_request", "client_id must be a string of at most 64 characters")
BAD_LIMIT = InvalidFrame("bad_request", "limit must be a whole number from 1 to 200")


def obj(**fields: object) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("body", "frame"),
    [
        # What people type, and what isn't a JSON object.
        (None, InvalidFrame("empty", "the frame is empty")),
        ("", InvalidFrame("empty", "the frame is empty")),
        (" \n ", InvalidFrame("empty", "the frame is empty")),
        ("hello there", MessageRequest("hello there")),
        ("5", MessageRequest("5")),
        ("null", MessageRequest("null")),
        ("[1, 2]", MessageRequest("[1, 2]")),
        ('"quoted"', MessageRequest('"quoted"')),
        ('{"message": ', MessageRequest('{"message": ')),
        ('{"message": "a"} trailing', MessageRequest('{"message": "a"} trailing')),
        ('{"message": NaN}', MessageRequest('{"message": NaN}')),
        ('{"message": "a", "date": -Infinity}', MessageRequest('{"message": "a", "date": -Infinity}')),
        # Chat messages.
        (obj(message="hi"), MessageRequest("hi")),
        (obj(message=""), MessageRequest("")),
        (obj(message="hi", uname="u", sender_id="7", date="1681948677627"), MessageRequest("hi", "u", "7")),
        (obj(action="onMessage", message="hi", client_id="c1"), MessageRequest("hi", client_id="c1")),
        (obj(action="shout", message="hi"), MessageRequest("hi")),
        (obj(action=5, message="hi"), MessageRequest("hi")),
        (obj(action=None, message="hi"), MessageRequest("hi")),
        (obj(message="hi", uname=None, sender_id=None, client_id=None), MessageRequest("hi")),
        (obj(message="hi", uname=12, sender_id=128274), MessageRequest("hi", "12", "128274")),
        ('{"message": "hi", "sender_id": ' + "9" * 9000 + "}", MessageRequest("hi", sender_id="9" * 9000)),
        ('{"message": "hi", "date": ' + "9" * 9000 + "}", MessageRequest("hi")),
        ('{"message": "hi", "date": 1e999}', MessageRequest("hi")),
        ('{"message": "a", "message": "b"}', MessageRequest("b")),
        # Bad fields.
        ("{}", InvalidFrame("bad_request", "message must be a string")),
        (obj(message=None), InvalidFrame("bad_request", "message must be a string")),
        (obj(message=5), InvalidFrame("bad_request", "message must be a string")),
        (
            obj(action="onMessage", client_id="c"),
            InvalidFrame("bad_request", "message must be a string", "c"),
        ),
        (obj(action="shout"), InvalidFrame("bad_request", "unknown action and no message")),
        (obj(message="hi", uname={"a": 1}), InvalidFrame("bad_request", "uname must be a string")),
        (
            obj(message="hi", uname=["a"], client_id="c"),
            InvalidFrame("bad_request", "uname must be a string", "c"),
        ),
        (obj(message="hi", sender_id=True), InvalidFrame("bad_request", "sender_id must be a string")),
        (obj(message="hi", sender_id=1.5), InvalidFrame("bad_request", "sender_id must be a string")),
        # client_id.
        (obj(message="hi", client_id="c" * 64), MessageRequest("hi", client_id="c" * 64)),
        (obj(message="hi", client_id="c" * 65), BAD_CLIENT_ID),
        (obj(message="hi", client_id=5), BAD_CLIENT_ID),
        (obj(message="hi", client_id=["c"]), BAD_CLIENT_ID),
        (obj(message="hi", client_id=""), MessageRequest("hi")),
        (obj(action="ping", client_id=False), BAD_CLIENT_ID),
        # The other actions.
        (obj(action="ping"), Ping()),
        ("ping", TextPing()),
        ("Ping", MessageRequest("Ping")),
        ("ping\n", MessageRequest("ping\n")),
        ('"ping"', MessageRequest('"ping"')),
        (obj(action="ping", client_id="c", message="hi"), Ping("c")),
        (obj(action="Ping", message="hi"), MessageRequest("hi")),
        (obj(action="history"), HistoryRequest(50)),
        (obj(action="history", limit=None, before=None, after=None), HistoryRequest(50)),
        (
            obj(action="history", limit=200, before=ID_2, after=ID_1, client_id="c"),
            HistoryRequest(200, ID_2, ID_1, "c"),
        ),
        (obj(action="history", limit=0), BAD_LIMIT),
        (obj(action="history", limit=201), BAD_LIMIT),
        (obj(action="history", limit=-1), BAD_LIMIT),
        (obj(action="history", limit=True), BAD_LIMIT),
        (obj(action="history", limit="50"), BAD_LIMIT),
        (obj(action="history", limit=1.0), BAD_LIMIT),
        ('{"action": "history", "limit": ' + "9" * 9000 + "}", BAD_LIMIT),
        (
            obj(action="history", before="x"),
            InvalidFrame("bad_request", "before must be the id of a message"),
        ),
        (obj(action="history", after=7), InvalidFrame("bad_request", "after must be the id of a message")),
        (
            obj(action="history", after=ID_1.lower()[:25] + "a"),
            InvalidFrame("bad_request", "after must be the id of a message"),
        ),
        # Lone surrogates, raw and escaped; a pair in two halves is one character.
        ("a\ud800b", MessageRequest("a\ufffdb")),
        ("\ud83d\ude00", MessageRequest("😀")),
        ('{"message": "\\ud800x", "uname": "\\udfff"}', MessageRequest("\ufffdx", "\ufffd")),
        ('{"message": "\\ud83d\\ude00"}', MessageRequest("😀")),
        ('{"message": "hi", "client_id": "\\ud800"}', MessageRequest("hi", client_id="\ufffd")),
    ],
)
def test_parse(body: str | None, frame: Frame) -> None:
    assert wire.parse(body) == frame


def test_the_live_clients_own_message() -> None:
    text = (EVENTS / "client-message.json").read_text()
    assert wire.parse(text) == MessageRequest(
        "test from test event in aws console", "xxxxxxusername", "128274"
    )


def test_nesting_too_deep_to_read_is_text() -> None:
    deep = '{"message":"a","x":' + "[" * 30_000
    assert wire.parse(deep) == MessageRequest(deep)
    closed = '{"message":"a","x":' + "[" * 15_000 + "]" * 15_000 + "}"
    assert isinstance(wire.parse(closed), MessageRequest)


def test_a_frame_is_at_most_32_kb_of_utf8() -> None:
    too_long = InvalidFrame("too_long", "a frame is at most 32768 bytes")
    assert wire.parse("x" * 32_768) == MessageRequest("x" * 32_768)
    assert wire.parse("x" * 32_769) == too_long
    assert wire.parse("é" * 16_385) == too_long
    assert wire.parse(obj(message="x" * 40_000, client_id="c7")) == InvalidFrame(
        "too_long", too_long.detail, "c7"
    )
    assert wire.parse(obj(message="x" * 140_000, client_id="c7")) == too_long


# In pieces, because an alphabet with surrogates in it loses them: hypothesis leaves them out of text().
PIECES = st.text() | st.sampled_from(["\ud800", "\udc00", "\udfff"])
ANY_TEXT = st.lists(PIECES, max_size=5).map("".join)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(["action", "message", "uname", "sender_id", "client_id", "limit", "before", "after"]),
    JSON_VALUES | st.sampled_from(["ping", "history", "onMessage", ID_1]),
)


@given(ANY_TEXT | FIELDS.map(json.dumps) | FIELDS.map(lambda fields: json.dumps(fields, ensure_ascii=False)))
def test_parse_never_raises_and_all_it_gives_encodes(body: str) -> None:
    frame = wire.parse(body)
    repr(frame).encode()
    if isinstance(frame, InvalidFrame):
        wire.error_frame(frame.code, frame.detail, frame.client_id).encode()


MESSAGES = st.builds(
    Message,
    id=st.builds(ulid, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10)),
    message=st.text(),
    uname=st.text(),
    sender_id=st.text(),
    date=st.integers(0, 10**15 - 1),
    type=st.sampled_from(["message", "announcement"]),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert wire.from_json_dict(json.loads(wire.message_frame(message))) == message


@given(ANY_TEXT, ANY_TEXT)
def test_frames_always_encode(one: str, other: str) -> None:
    for frame in (
        wire.message_frame(Message(ID_1, one, other, one, 1)),
        wire.ack_frame(one, other),
        wire.error_frame("internal", one, other),
    ):
        assert isinstance(json.loads(frame.encode()), dict)


def test_frames_have_exact_json() -> None:
    message = Message(ID_1, 'ü "<b>"', "tchalvak", "128274", 1681948677627)
    assert wire.message_frame(message) == (
        '{"type":"message","id":"' + ID_1 + '","message":"ü \\"<b>\\"","uname":"tchalvak",'
        '"sender_id":"128274","date":"1681948677627"}'
    )
    announcement = Message(ID_1, "down at 9", "", "", 5, "announcement")
    assert json.loads(wire.message_frame(announcement))["type"] == "announcement"
    assert wire.ack_frame("c1", ID_1) == '{"type":"ack","client_id":"c1","id":"' + ID_1 + '"}'
    assert wire.pong_frame() == '{"type":"pong"}'
    assert wire.error_frame("empty", "why") == '{"type":"error","code":"empty","detail":"why"}'
    assert wire.error_frame("empty", "why", "c1") == (
        '{"type":"error","code":"empty","detail":"why","client_id":"c1"}'
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "x"}, "id must be a ULID"),
        ({"id": None}, "id must be a string"),
        ({"message": 5}, "message must be a string"),
        ({"date": 5}, "date must be a string"),
        ({"date": "-5"}, "date must be epoch milliseconds"),
        ({"date": "٣"}, "date must be epoch milliseconds"),
        ({"date": "9" * 16}, "date must be epoch milliseconds"),
        ({"type": "ack"}, "type must be message or announcement"),
    ],
)
def test_what_is_not_a_message(change: dict[str, object], complaint: str) -> None:
    good = wire.to_json_dict(Message(ID_1, "hi", "u", "1", 5))
    with pytest.raises(ValueError, match=complaint):
        wire.from_json_dict({**good, **change})


def big(count: int, chars: int) -> tuple[Message, ...]:
    return tuple(Message(ulid(ms, bytes(10)), "é" * chars, "u", "1", ms) for ms in range(1, count + 1))


def ids(frame: str) -> Sequence[str]:
    return [message["id"] for message in json.loads(frame)["messages"]]


def test_a_history_that_fits_is_sent_whole() -> None:
    page = Page(big(3, 10), before=ID_1, after=None)
    frame = json.loads(wire.history_frame(page, forward=False))
    assert list(frame) == ["type", "messages", "before", "after"]
    assert frame == {
        "type": "history",
        "messages": [wire.to_json_dict(message) for message in page.messages],
        "before": ID_1,
        "after": None,
    }
    assert (
        wire.history_frame(Page(), forward=True)
        == '{"type":"history","messages":[],"before":null,"after":null}'
    )


@pytest.mark.parametrize("forward", [False, True])
def test_a_history_over_128_kb_loses_its_far_end_and_its_cursor_says_so(forward: bool) -> None:
    page = Page(big(30, 4000), before="near or far", after="near or far")
    frame = wire.history_frame(page, forward=forward)
    kept = ids(frame)
    every = [message.id for message in page.messages]
    assert len(frame.encode()) <= 128 * 1024
    assert len(kept) == 16
    assert kept == (every[:16] if forward else every[-16:])
    cursors = {key: json.loads(frame)[key] for key in ("before", "after")}
    assert cursors == (
        {"before": "near or far", "after": kept[-1]}
        if forward
        else {"before": kept[0], "after": "near or far"}
    )


@pytest.mark.parametrize("forward", [False, True])
def test_paging_gets_past_a_message_too_large_for_any_frame(forward: bool) -> None:
    huge, small = big(1, 70_000)[0], Message(ID_2, "hi", "", "", 2)
    messages = (huge, small) if forward else (small, huge)
    frame = json.loads(wire.history_frame(Page(messages), forward=forward))
    assert frame["messages"] == []
    assert frame["after" if forward else "before"] == huge.id


@given(st.lists(MESSAGES, max_size=8), st.booleans(), st.integers(200, 2000))
def test_a_history_never_exceeds_its_size(messages: list[Message], forward: bool, max_bytes: int) -> None:
    frame = wire.history_frame(Page(tuple(messages), ID_1, ID_2), forward=forward, max_bytes=max_bytes)
    assert len(frame.encode()) <= max_bytes


def test_claimed_identity_can_be_ignored() -> None:
    frame = obj(message="hi", uname=["a"], sender_id={"b": 1}, client_id="c")
    assert wire.parse(frame, names=False) == MessageRequest("hi", "", "", "c")
    assert wire.parse(obj(message="hi", uname="a", sender_id="7"), names=False) == MessageRequest("hi")
    assert wire.parse(obj(message=5, uname="a"), names=False) == InvalidFrame(
        "bad_request", "message must be a string"
    )
