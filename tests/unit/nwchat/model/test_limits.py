from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.model.limits import Limits, Window, check_message, clean, clean_name, rate_window
from nwchat.model.wire import InvalidFrame, MessageRequest

# In pieces, because an alphabet with surrogates in it loses them: hypothesis leaves them out of text().
PIECES = st.text() | st.sampled_from(list("\ud800\udfff\u202e\x85\u0301\u0323\n e\u200d"))
ANY_TEXT = st.lists(PIECES, max_size=9).map("".join)
DROPPED = [
    chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("  ends \n", "ends"),
        ("two\n\tlines", "two\n\tlines"),
        ("dos\r\nlines", "dos\nlines"),
        ("\x1b[2J", "[2J"),
        ("bell\x07 del\x7f nel\x85 null\x00", "bell del nel null"),
        ("\u202eevil\u202c \u2066iso\u2069", "evil iso"),
        ("left\u200eto\u200fright", "left\u200eto\u200fright"),
        ("e\u0301", "é"),
        ("e\u202e\u0301", "é"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("a\ud800", "a\ufffd"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\u202e\x00", ""),
        ("two\u2028lines\u2029more", "two\nlines\nmore"),
        ("in\u200bvis\u00adible\ufeff", "invisible"),
        ("\u3164hangul\uffa0 fillers\u115f", "hangul fillers"),
        ("hidden\U000e0068\U000e0069", "hidden"),
        ("z" + "\u0316" * 50 + "algo", "z" + "\u0316" * 4 + "algo"),
        # Invisible characters between the marks do not begin another stack.
        ("z" + "\u0316\u200b\u034f" * 50, "z" + "\u0316" * 4),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(ANY_TEXT)
def test_cleaning_is_done_once_and_for_all(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not set(cleaned) & (set(DROPPED) - {"\t", "\n"})


LIMITS = Limits(max_message_chars=5, max_uname_chars=4)


@pytest.mark.parametrize(
    ("say", "checked"),
    [
        (MessageRequest(" 12345 ", "u", "1", "c"), MessageRequest("12345", "u", "1", "c")),
        (
            MessageRequest("123456", client_id="c"),
            InvalidFrame("too_long", "a message is at most 5 characters", "c"),
        ),
        (MessageRequest("e\u0301" * 5), MessageRequest("é" * 5)),
        (MessageRequest("\x00" * 100 + "ok"), MessageRequest("ok")),
        (MessageRequest("😀" * 5), MessageRequest("😀" * 5)),
        (MessageRequest(" \x00 ", client_id="c"), InvalidFrame("empty", "the message is empty", "c")),
        (MessageRequest(""), InvalidFrame("empty", "the message is empty")),
        (MessageRequest("\u200b" * 100 + "ok"), MessageRequest("ok")),
        (MessageRequest("\u2800\u3164\u200e"), InvalidFrame("empty", "the message is empty")),
        (MessageRequest("hi", "\u2800", "\u200e"), MessageRequest("hi")),
        (MessageRequest("hi", "a\u2800b"), MessageRequest("hi", "a b")),
        (MessageRequest("hi", "long name", "9" * 100), MessageRequest("hi", "long", "9" * 64)),
        (MessageRequest("hi", " a\nb ", "1\t2"), MessageRequest("hi", "a b", "1 2")),
    ],
)
def test_check_message(say: MessageRequest, checked: MessageRequest | InvalidFrame) -> None:
    assert check_message(say, LIMITS) == checked


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_what_passes_is_within_the_limits(message: str, uname: str, sender_id: str) -> None:
    checked = check_message(MessageRequest(message, uname, sender_id), LIMITS)
    if isinstance(checked, MessageRequest):
        assert 1 <= len(checked.message) <= 5
        assert len(checked.uname) <= 4
        assert len(checked.sender_id) <= 64
        assert not set(checked.uname + checked.sender_id) & set("\n\t\u2028\u2029")


def test_a_run_of_accents_costs_no_time() -> None:
    started = time.process_time()
    assert isinstance(check_message(MessageRequest("a" + "\u0301\u0323" * 8000), Limits()), InvalidFrame)
    assert time.process_time() - started < 0.1


HOSTILE = [
    "\u200b" * 10_000,
    "a\u200d" * 5_000,
    "\u0301\u200b" * 5_000,
    "\U0001f3f4" * 8_000,
    "\U0001f3f4" + "\U000e0061" * 8_000,
    "\ufe0f" * 10_000,
    "\n" * 32_000,
    "\U0001f468\u200d" * 4_500,
    "\u0915\u094d\u200d" * 3_500,
    "\u1100\u1161\u11a8" * 3_500,
    "\u2028\u0344" * 5_000,
    "\ufdfa" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_cleaned_in_linear_time(text: str) -> None:
    """A frame has at most 32 KB."""
    started = time.process_time()
    for limits in (Limits(), Limits(max_message_chars=8_000, max_uname_chars=200)):
        checked = check_message(MessageRequest(text, text, text), limits)
        if isinstance(checked, MessageRequest):
            assert clean(checked.message) == checked.message
            assert checked.message.count("\n") <= 10
    assert time.process_time() - started < 0.5


def test_a_message_has_at_most_ten_line_breaks() -> None:
    ten = "\n".join(map(str, range(11)))
    assert check_message(MessageRequest(ten), Limits()) == MessageRequest(ten)
    checked = check_message(MessageRequest(ten + "\n\n11\r\n12\u202813"), Limits())
    assert checked == MessageRequest(ten + " 11 12 13")


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("abcde", "abcd"),
        ("abc  e", "abc"),
        ("abcx\u0323\u0307e", "abc"),
        ("ab👩\u200d🚀", "ab"),
        ("abc👍\U0001f3fd", "abc"),
        ("ab\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "ab"),
        ("\u0301" * 9, "\u0301" * 4),
        ("a" + "\u0300" * 9, "à" + "\u0300" * 3),
    ],
)
def test_a_name_is_not_cut_inside_a_character(name: str, cut: str) -> None:
    assert clean_name(name, 4) == cut


RATE = Limits(rate_messages=3, rate_seconds=10)


@pytest.mark.parametrize(
    ("window", "now_ms", "after"),
    [
        (None, 50_000, Window(50_000, 1)),
        (Window(50_000, 1), 50_000, Window(50_000, 2)),
        (Window(50_000, 2), 59_999, Window(50_000, 3)),
        (Window(50_000, 3), 59_999, None),
        (Window(50_000, 99), 59_999, None),
        (Window(50_000, 3), 60_000, Window(60_000, 1)),
        # Another function's clock may be a little ahead; one that is far ahead must not silence anybody.
        (Window(52_000, 3), 50_000, None),
        (Window(60_001, 3), 50_000, Window(50_000, 1)),
    ],
)
def test_the_rate_window(window: Window | None, now_ms: int, after: Window | None) -> None:
    assert rate_window(window, now_ms, RATE) == after
