"""Questions: asked where somebody can answer, an error that names the flag where nobody can."""

from __future__ import annotations

import pytest

from nwchatctl.errors import ChatError
from nwchatctl.output.prompt import ask, confirm, confirm_name
from tests.unit.output.memory_streams import printed, streams


@pytest.mark.parametrize("answer", ["y\n", "Y\n", " yes \n"])
def test_yes(answer: str) -> None:
    made = streams(asks=True, answers=answer)
    confirm(made, "Delete \x1b?", given=False, flag="--yes")
    assert printed(made) == ("", "Delete \\x1b? [y/N] ")


@pytest.mark.parametrize("answer", ["\n", "n\n", "yep\n", ""])
def test_everything_else_declines(answer: str) -> None:
    with pytest.raises(ChatError) as caught:
        confirm(streams(asks=True, answers=answer), "Go on?", given=False, flag="--yes")
    assert (caught.value.code, caught.value.exit_code) == ("declined", 7)


def test_a_flag_asks_nothing() -> None:
    made = streams()
    confirm(made, "Go on?", given=True, flag="--yes")
    confirm_name(made, "dojo", given="dojo", flag="--confirm")
    assert printed(made) == ("", "")


@pytest.mark.parametrize(("asks", "json"), [(False, False), (True, True)])
def test_missing_terminal_is_an_error(asks: bool, json: bool) -> None:
    made = streams(asks=asks, answers="y\n")
    with pytest.raises(ChatError) as caught:
        confirm(made, "Go on?", given=False, flag="--yes", json=json)
    assert (caught.value.code, caught.value.exit_code) == ("confirmation_required", 7)
    assert caught.value.hint == "give --yes"
    with pytest.raises(ChatError) as caught:
        confirm_name(made, "dojo", given="", flag="--confirm", json=json)
    assert caught.value.hint == "give --confirm dojo"
    assert printed(made) == ("", "")


def test_the_name_has_to_be_typed() -> None:
    confirm_name(streams(asks=True, answers="dojo\n"), "dojo", given="", flag="--confirm")
    with pytest.raises(ChatError) as caught:
        confirm_name(streams(asks=True, answers="y\n"), "dojo", given="", flag="--confirm")
    assert caught.value.code == "declined"


def test_the_flag_with_another_name() -> None:
    with pytest.raises(ChatError) as caught:
        confirm_name(streams(asks=True), "dojo", given="other", flag="--confirm")
    assert (caught.value.code, caught.value.exit_code) == ("confirmation_mismatch", 7)
    assert caught.value.message == "--confirm says other, but the name is dojo"


def test_asking_until_it_is_right() -> None:
    made = streams(asks=True, answers="Bad\n\ngood\n")
    assert ask(made, "Name", "", lambda text: "" if text == "good" else f"{text!r} is wrong") == "good"
    assert printed(made)[1] == "Name: 'Bad' is wrong\nName: '' is wrong\nName: "
    assert ask(streams(asks=True, answers="\n"), "Name", "dojo", lambda text: "") == "dojo"
    with pytest.raises(ChatError):
        ask(streams(asks=True), "Name", "dojo", lambda text: "")
