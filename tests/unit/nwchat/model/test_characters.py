"""Which invisible characters stay, in messages and in names."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.model.characters import (
    MAX_MARKS,
    is_blank,
    is_invisible,
    is_mark,
    visible_text,
    with_few_lines,
    with_few_marks,
)

KEPT = [
    "👩\u200d🚀",
    "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨",
    "🏳\ufe0f\u200d🌈",
    "❤\ufe0f 1\ufe0f\u20e3 #\ufe0f\u20e3 ©\ufe0f ☎\ufe0e",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "می\u200cخواهم",
    "क्\u200dष क्\u200cष",
    "ක්\u200dෂ",
    "葛\U000e0100",
    "ᠨ\u180b",
    "שלום",
]


@pytest.mark.parametrize("text", KEPT)
def test_scripts_and_emoji_keep_what_they_need(text: str) -> None:
    assert visible_text(text) == text
    assert visible_text(text, name=True) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\u200db\u200cc", "abc"),
        ("а\u200dб α\u200cβ", "аб αβ"),
        ("\u200d\u200c\ufe0f", ""),
        ("a\ufe0f\ufe0f", "a"),
        ("❤\ufe0f\ufe0f\ufe0f", "❤\ufe0f"),
        ("👩\u200d\u200d\u200d🚀", "👩\u200d🚀"),
        ("👩\u200d hi", "👩 hi"),
        ("0\ufe0f\u200c\ufe0f", "0\ufe0f"),
        ("👩\u200d\U0001d159", "👩"),
        ("می\u200c\u200cخ", "می\u200cخ"),
        ("\U0001f3f4\U000e0067", "\U0001f3f4"),
        ("\U0001f3f4" + "\U000e0067" * 9 + "\U000e007f", "\U0001f3f4"),
        ("a\U000e0100", "a"),
        ("x\u2060\u2061\u206a\u180e\u17b4\ufff3\U0001bca0\U0001d173y", "xy"),
    ],
)
def test_other_invisible_characters_are_dropped(text: str, left: str) -> None:
    assert visible_text(text) == left


def test_direction_marks_and_braille_blanks_stay_in_messages_only() -> None:
    assert visible_text("a\u200e\u200eb \u2801\u2800\u2801") == "a\u200eb \u2801\u2800\u2801"
    assert visible_text("a\u200e\u200eb \u2801\u2800\u2801", name=True) == "ab \u2801 \u2801"


def test_every_format_character_counts_as_invisible_or_is_dropped_elsewhere() -> None:
    """But Arabic, Kaithi and Egyptian signs of that category, which are seen."""
    seen = {
        *range(0x600, 0x606),
        *(0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD),
        *range(0x13430, 0x13440),
    }
    bidirectional = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    # Interlinear annotations are shown by some fonts.
    annotations = {0xFFF9, 0xFFFA, 0xFFFB}
    found = {
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf" and not is_invisible(chr(code))
    }
    assert found <= seen | bidirectional | annotations


@pytest.mark.parametrize("text", ["", " \n", "\u2800\u3164 \u200e", "\U0001d159\u115f", "\ufe0f\u200d"])
def test_blank_texts(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(text + ".")


PIECES = st.text(max_size=3) | st.sampled_from(
    list("\u200d\u200c\ufe0f\u0301\u0316\u2800\u200e👩🚀❤कमa1\U0001f3f4\U000e0067\U000e007f\n")
)


@settings(deadline=None, max_examples=200)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_cleaning_again_changes_nothing(text: str) -> None:
    for name in (False, True):
        once = visible_text(text, name=name)
        assert visible_text(once, name=name) == once
    few = with_few_marks(text)
    assert with_few_marks(few) == few
    run = 0
    for each in few:
        run = run + 1 if is_mark(each) else run if is_invisible(each) else 0
        assert run <= MAX_MARKS


def test_a_character_keeps_four_marks() -> None:
    assert with_few_marks("a" + "\u0301" * 6 + "b\u0301") == "a" + "\u0301" * 4 + "b\u0301"


def test_line_breaks_beyond_the_tenth_are_spaces() -> None:
    assert with_few_lines("\n" * 10 + "end") == "\n" * 10 + "end"
    assert with_few_lines("a\n" * 13) == "a\n" * 10 + "a a a"
