"""Whatever a player writes, the terminal only shows it."""

from __future__ import annotations

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
        ("\U000e0041\ue000\uffff\U0001fffe", "\\U000e0041\\ue000\\uffff\\U0001fffe"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert untrusted(text) == shown


@given(st.text(st.characters(exclude_categories=[])))
def test_no_control_character_remains(text: str) -> None:
    shown = untrusted(text)
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert untrusted(shown) == shown
    shown.encode()


def test_printable_text_is_unchanged() -> None:
    assert tabs_kept("a\tb\n\x1b") == "a\tb\\n\\x1b"
    assert lines_kept("a\n\tb\x1b") == "a\n\tb\\x1b"
