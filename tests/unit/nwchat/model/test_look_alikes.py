"""Names that look like a reserved name."""

from __future__ import annotations

import time

import pytest

from nwchat.model.look_alikes import _LOOK_ALIKES, looks_like_any, skeleton

RESERVED = ("operator", "Game Master", "Админ")


@pytest.mark.parametrize(
    "name",
    [
        "operator",
        "OPERATOR",
        "  Operator  ",
        "0perat0r",
        "оperatоr",
        "ОРЕRАТОR",
        "орегатог",
        "οperatοr",
        "ορεrατοr",
        "ＯＰＥＲＡＴＯＲ",
        "𝓸𝓹𝓮𝓻𝓪𝓽𝓸𝓻",
        "𝐎𝐏𝐄𝐑𝐀𝐓𝐎𝐑",
        "ⓞⓟⓔⓡⓐⓣⓞⓡ",
        "öpèrátør",
        "o\u0336p\u0336e\u0336r\u0336a\u0336t\u0336o\u0336r\u0336",
        "o p.e-r_a*t[o]r",
        "oper\u200bator\u3164",
        "\u2800operator\ufe0f",
        "օperator",
        "oᴘᴇrator",
        "🅾🅿🅴🆁🅰🆃🅾🆁",
        "🇴🇵🇪🇷🇦🇹🇴🇷",
        "Game\u00a0Master",
        "Garne Master",
        "GAME MASTER",
        "gаме mаstег",
        "АДМИН",
        "админ",
    ],
)
def test_look_alikes_are_found(name: str) -> None:
    assert looks_like_any(name, RESERVED)


@pytest.mark.parametrize(
    "name",
    ["", " ", "\u2800", "op", "operators", "cooperator", "tchalvak", "Оператор Вася", "game mast", "日本"],
)
def test_other_names_are_free(name: str) -> None:
    assert not looks_like_any(name, RESERVED)


def test_reserved_name_without_letters_reserves_nothing() -> None:
    assert not looks_like_any("...", ("***",))


def test_table_is_consistent() -> None:
    for letter, look_alikes in _LOOK_ALIKES.items():
        for each in look_alikes:
            assert skeleton(each) == skeleton(letter), (each, letter)
    every = "".join(_LOOK_ALIKES.values())
    assert len(set(every)) == len(every) > 400


def test_long_names_take_linear_time() -> None:
    started = time.process_time()
    for text in ("r" * 30_000, "rn" * 15_000, "\ufdfa" * 10_000, "é" * 15_000):
        looks_like_any(text, RESERVED)
    assert time.process_time() - started < 1
