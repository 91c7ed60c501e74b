"""Whatever one socket sends, its neighbours and the function live on."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.support.chat import Chat, Player, gather, unique

DEEP = 100_000


def pieces(text: str) -> list[str]:
    """One message in frames that are each small enough."""
    return [text[start : start + 32_000] for start in range(0, len(text), 32_000)]


def check_chat_works(rude: Player, neighbour: Player) -> None:
    """Both sockets and the function do what they did before."""
    assert gather(neighbour, rude)[0] == []
    assert gather(rude, neighbour)[1] == []


@pytest.mark.parametrize(
    ("frame", "arrives"),
    [
        # JSON that is no object, or broken, or none, is what somebody typed.
        ("[1, 2, 3]", "[1, 2, 3]"),
        ("12345", "12345"),
        ("-1e999", "-1e999"),
        ("null", "null"),
        ('"quoted"', '"quoted"'),
        ("NaN", "NaN"),
        ('{"message": "broken', '{"message": "broken'),
        ('{"message": NaN}', '{"message": NaN}'),
        ('{"message": "hi", "date": Infinity}', '{"message": "hi", "date": Infinity}'),
        ("[" * 999, "[" * 999),
        ('{"action": ' + "[" * 400 + "]" * 400 + "}", None),
        ("'; DROP TABLE chat; --", "'; DROP TABLE chat; --"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        # What no terminal and no page should get is dropped or replaced.
        ('{"message": "a\\ud800b"}', "a\ufffdb"),
        ('{"message": "a\\udc00\\ud800b"}', "a\ufffd\ufffdb"),
        ('{"message": "\\ud83d\\ude00"}', "\U0001f600"),
        ('{"message": "a\\u0000b"}', "ab"),
        ("a\x00\x01\x1b[2J\x7f\x9bb", "a[2Jb"),
        ("a\u202eb\u2066c\u2069d", "abcd"),
        ("  a\tb\r\nc  ", "a\tb\nc"),
        ("e\u0301", "\u00e9"),
        # Odd fields beside a message are nobody's business.
        ('{"message": "one", "message": "two"}', "two"),
        ('{"message": "hi", "date": ' + "9" * 5000 + "}", "hi"),
        ('{"message": "hi", "date": [{}], "deep": ' + "[" * 500 + "]" * 500 + "}", "hi"),
        ('{"message": "hi", "sender_id": 128274}', "hi"),
        ('{"action": "$connect", "message": "to a route of AWS"}', "to a route of AWS"),
        ('{"action": {"a": 1}, "message": "to an object"}', "to an object"),
        ('{"action": null, "message": "to null"}', "to null"),
        ('{"action": "' + "x" * 9000 + '", "message": "far"}', "far"),
        ('{"message": "hi", "\\ud800": "\\udfff", "uname": "\\ud800"}', "hi"),
    ],
)
def test_unusual_frames_are_messages(chat: Chat, frame: str, arrives: str | None) -> None:
    with chat.players() as (rude, neighbour):
        rude.send(frame)
        here, there = gather(rude, neighbour)
        if arrives is None:
            assert [each["code"] for each in here] == ["bad_request"]
            assert there == []
        else:
            assert here == there
            assert [each["message"] for each in there] == [arrives]
        check_chat_works(rude, neighbour)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "empty"),
        (" \n\t \u2003 ", "empty"),
        ("\x00\x07\u202e", "empty"),
        ('{"message": "\\u0000"}', "empty"),
        ("{}", "bad_request"),
        ('{"action": {"a":1}}', "bad_request"),
        ('{"action":"$connect"}', "bad_request"),
        ('{"action":"$disconnect"}', "bad_request"),
        ('{"action":"onMessage"}', "bad_request"),
        ('{"message": ' + "9" * 5000 + "}", "bad_request"),
        ('{"message": {"message": "hi"}}', "bad_request"),
        ('{"message": "hi", "uname": ["x"]}', "bad_request"),
        ('{"message": "hi", "sender_id": 128274.5}', "bad_request"),
        ('{"message": "hi", "client_id": {}}', "bad_request"),
        ('{"action": "history", "limit": ' + "9" * 5000 + "}", "bad_request"),
        ("x" * 32_768, "too_long"),
        ("[" * 15_000 + "]" * 15_000, "too_long"),
        ('{"message": "hi", "deep": ' + "[" * 15_000 + "]" * 15_000 + "}", "too_long"),
        # Frames of at most 32 KB each, of a message that is larger: AWS lets 128 KB through.
        (pieces("[" * DEEP), "too_long"),
        (pieces('{"a":' * 20_000 + "1" + "}" * 20_000), "too_long"),
        (pieces('{"message": "' + "x" * 40_000 + '"}'), "too_long"),
        (pieces('{"message": "short", "padding": "' + "x" * 40_000 + '"}'), "too_long"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "pieces",
)
def test_refused_with_a_reason(chat: Chat, frame: str | list[str], code: str) -> None:
    with chat.players() as (rude, neighbour):
        rude.send(frame)
        here, there = gather(rude, neighbour)
        assert [(each["type"], each["code"]) for each in here] == [("error", code)]
        assert there == []
        check_chat_works(rude, neighbour)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01\xff", 1003),
        (b"", 1003),
        (json.dumps({"message": "in a binary frame"}).encode(), 1003),
        ("x" * 40_000, 1009),
        ("[" * DEEP, 1009),
        ('{"message": "' + "\\ud800" * 10_000 + '"}', 1009),
        (pieces("x" * 200_000), 1009),
    ],
    ids=["binary", "empty binary", "binary JSON", "40 KB", "deep", "surrogates", "200 KB in frames"],
)
def test_invalid_frame_closes_socket_as_aws_does(
    chat: Chat, frame: str | bytes | list[str], code: int
) -> None:
    with chat.players() as (rude, neighbour):
        with pytest.raises(ConnectionClosed) as closed:
            rude.send(frame)
            rude.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        assert gather(neighbour)[0] == []


def test_a_name_cannot_carry_what_a_message_cannot(chat: Chat) -> None:
    with chat.players() as (rude, neighbour):
        text = unique()
        rude.send(
            {"message": text, "uname": "a\x1b[2J\nb\u202e\tc" + "d" * 99, "sender_id": "\x00" + "5" * 99}
        )
        frame = neighbour.receive_text(text)
    assert frame["uname"] == ("a[2J b c" + "d" * 99)[:40]
    assert frame["sender_id"] == "5" * 64
