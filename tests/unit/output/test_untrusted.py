"""Whatever a player writes, the terminal only shows it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchatctl.output.untrusted import lines_kept, tabs_kept, untrusted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("naïve 日本語 👍🏽 ❤️ é", "naïve 日本語 👍🏽 ❤️ é"),
        ("[red]x[/red] [link=http://a]b[/] :smile:", "[red]x[/red] [link=http://a]b[/] :smile:"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x00\x07\x08\x7f", "\\x00\\x07\\x08\\x7f"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("a\u202eb\u2066c\u2069", "a\\u202eb\\u2066c\\u2069"),
        ("\u200b\u200d\ufeff\u00ad\u061c", "\\u200b\\u200d\\ufeff\\xad\\u061c"),
        ("\ud800x", "\\ud800x"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u3164\u115f\u2800", "\\u3164\\u115f\\u2800"),
        ("a\ufe0f \u180b\U0001d159", "a\\ufe0f \\u180b\\U0001d159"),
        ("\u2764\ufe0f\ufe0f 1\ufe0f\u20e3", "\u2764\ufe0f\\ufe0f 1\ufe0f\u20e3"),
        ("z" + "\u0316" * 6 + "a\u0316", "z" + "\u0316" * 4 + "\\u0316\\u0316a\u0316"),
        ("\\u202e \\n C:\\new \\_(x)_ \\\\", "\\\\u202e \\\\n C:\\\\new \\_(x)_ \\\\\\"),
        ("\\\x1b\\é", "\\\\\\x1b\\é"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("👨\u200d👩\u200d👧 ❤️\u200d🔥", "👨\u200d👩\u200d👧 ❤️\u200d🔥"),
        ("a\u200cb می\u200c \u200dخ 👨\u200d", "a\\u200cb می\\u200c \\u200dخ 👨\\u200d"),
        ("می\u200c\u200cخ", "می\\u200c\\u200cخ"),
        ("\U000e0041\ue000\uffff\U0001fffe", "\\U000e0041\\ue000\\uffff\\U0001fffe"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert untrusted(text) == shown


SPELLING = re.compile(r"\\(\\|n|t|r|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def read_back(shown: str) -> str:
    """The text that was shown."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        return {"\\": "\\", "n": "\n", "t": "\t", "r": "\r"}.get(name) or chr(int(name[1:], 16))

    return SPELLING.sub(one, shown)


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from("\\ntxu\u200d\u200cمخ👨a0")))
def test_no_control_character_remains_and_each_text_looks_different(text: str) -> None:
    shown = untrusted(text)
    found = {unicodedata.category(each) for each in shown if each not in "\u200c\u200d"}
    assert not found & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert read_back(shown) == text
    shown.encode()


@given(st.text(st.sampled_from("\u200d\u200c\u202e\u2066a ")))
def test_no_joiner_remains_between_other_letters(text: str) -> None:
    assert untrusted(text).isascii()


def test_printable_text_is_unchanged() -> None:
    assert tabs_kept("a\tb\n\x1b") == "a\tb\\n\\x1b"
    assert lines_kept("a\n\tb\x1b \\n") == "a\n\tb\\x1b \\n"
