"""Questions: asked where somebody can answer, an error that names the flag where nobody can."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import Mock

import pytest

from nwchatctl.errors import ChatError
from nwchatctl.output.prompt import ask, ask_hidden, confirm, confirm_name
from nwchatctl.output.streams import Streams
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


def test_ctrl_c_ends_the_line_of_the_question() -> None:
    made = replace(streams(asks=True), stdin=Mock(**{"readline.side_effect": KeyboardInterrupt}))
    with pytest.raises(KeyboardInterrupt):
        confirm(made, "Go on?", given=False, flag="--yes")
    assert printed(made) == ("", "Go on? [y/N] \n")


def test_asking_until_it_is_right() -> None:
    made = streams(asks=True, answers="Bad\n\ngood\n")
    assert ask(made, "Name", "", lambda text: "" if text == "good" else f"{text!r} is wrong") == "good"
    assert printed(made)[1] == "Name: 'Bad' is wrong\nName: '' is wrong\nName: "
    assert ask(streams(asks=True, answers="\n"), "Name", "dojo", lambda text: "") == "dojo"
    with pytest.raises(ChatError):
        ask(streams(asks=True), "Name", "dojo", lambda text: "")


@pytest.fixture
def terminal() -> Iterator[tuple[int, Streams]]:
    """The other end of a terminal, and streams whose stdin is that terminal."""
    other, own = pty.openpty()
    with os.fdopen(own, "r") as stdin:
        err = io.StringIO()
        yield other, Streams(stdin, io.StringIO(), err, True, False, True, False, False, 80)
    os.close(other)


def _echoes(made: Streams) -> bool:
    return bool(termios.tcgetattr(made.stdin.fileno())[3] & termios.ECHO)


def test_a_code_is_not_shown(terminal: tuple[int, Streams]) -> None:
    other, made = terminal
    echoed: list[bool] = []

    class Answering(io.StringIO):
        """Types when the question has been written: what was typed before it is thrown away."""

        def write(self, text: str, /) -> int:
            if text.endswith(": "):
                echoed.append(_echoes(made))
                os.write(other, b" 123456 \n")
            return super().write(text)

    err = Answering()
    asking = Streams(made.stdin, made.out, err, True, False, True, False, False, 80)
    assert ask_hidden(asking, "MFA code for arn:\x1b: ") == "123456"
    assert err.getvalue() == "MFA code for arn:\\x1b: \n"
    assert (echoed, _echoes(made)) == ([False], True)


def test_no_code_is_an_error_and_the_terminal_is_as_before(terminal: tuple[int, Streams]) -> None:
    other, made = terminal

    class Answering(io.StringIO):
        def write(self, text: str, /) -> int:
            if text.endswith(": "):
                os.write(other, b"\n")
            return super().write(text)

    asking = Streams(made.stdin, made.out, Answering(), True, False, True, False, False, 80)
    with pytest.raises(ChatError, match="none was typed") as caught:
        ask_hidden(asking, "MFA code: ")
    assert (caught.value.code, caught.value.exit_code) == ("mfa_required", 3)
    assert _echoes(made)


@pytest.mark.parametrize(("asks", "json"), [(False, False), (True, True)])
def test_nobody_is_asked_for_a_code(asks: bool, json: bool) -> None:
    made = streams(asks=asks, answers="123456\n")
    with pytest.raises(ChatError) as caught:
        ask_hidden(made, "MFA code: ", json=json)
    assert (caught.value.code, caught.value.exit_code) == ("mfa_required", 3)
    assert printed(made) == ("", "")
