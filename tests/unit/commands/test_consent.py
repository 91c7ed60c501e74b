"""What needs consent before a plan is carried out, and which flag gives it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nwchatctl.commands import consent
from nwchatctl.context import App, GlobalOptions
from nwchatctl.deploy.consequences import Consequence
from nwchatctl.errors import ChatError
from tests.unit.output.memory_streams import printed, streams

OPENS = Consequence("opens_chat", "this opens the chat", "--open")
STOPS = Consequence("stage_removed", "the address stops", "--yes")
LOGS = Consequence("logs_shortened", "old logs go")


def app(answers: str | None = None, *, quiet: bool = False, json: bool = False, mode: str = "") -> App:
    """A command's run at a terminal with these answers; without, at none. `mode` is NWCHAT_AUTH__MODE."""
    environ = {"NWCHAT_AUTH__MODE": mode} if mode else {}
    made = App(environ={"HOME": os.devnull, **environ}, options=GlobalOptions(quiet=quiet), json=json)
    made.cwd = Path(os.devnull)
    made.streams = streams(asks=answers is not None, answers=answers or "")
    return made


def ask(app: App, *found: Consequence, yes: bool = False, opens: bool = False, asks: bool = False) -> None:
    hint = consent.token_hint(app)
    consent.ask(app, "Deploy?", found, yes=yes, opens=opens, asks=asks, hint=hint)


def refused(app: App, *found: Consequence, **given: Any) -> ChatError:
    with pytest.raises(ChatError) as caught:
        ask(app, *found, **given)
    assert (caught.value.code, caught.value.exit_code) == ("confirmation_required", 7)
    return caught.value


def test_harmless_plan_is_not_asked_about() -> None:
    ask(app())
    ask(app(), LOGS)


def test_yes_agrees_to_all_but_opening() -> None:
    ask(app(), STOPS, LOGS, yes=True)
    ask(app(), asks=True, yes=True)
    error = refused(app(), OPENS, STOPS, yes=True)
    assert error.message == (
        "a confirmation is missing, and there is no terminal to ask at: this opens the chat; Deploy?"
    )
    assert error.hint == 'give --open, or set auth.mode = "token" (it is "open" by default)'
    assert error.hint == refused(app(json=True), OPENS, STOPS, yes=True).hint


def test_open_alone_agrees_to_nothing_else() -> None:
    error = refused(app(), OPENS, STOPS, opens=True)
    assert (error.hint, "the address stops; Deploy?" in error.message) == ("give --yes", True)
    ask(app(), OPENS, STOPS, opens=True, yes=True)
    ask(app(), OPENS, opens=True)


def test_missing_flags_are_named_together() -> None:
    assert refused(app(), OPENS, STOPS).hint.startswith("give --yes --open, or set")
    assert refused(app(), asks=True).hint == "give --yes"


def test_hint_says_where_the_mode_comes_from() -> None:
    assert refused(app(mode="open"), OPENS).hint.endswith('(it is "open" by env NWCHAT_AUTH__MODE)')


def test_one_answer_at_a_terminal_agrees_to_all() -> None:
    made = app("y\n")
    ask(made, OPENS, STOPS)
    assert printed(made.streams)[1] == "Deploy? [y/N] "
    with pytest.raises(ChatError) as caught:
        ask(app("n\n"), OPENS, STOPS, yes=True)
    assert caught.value.code == "declined"


def test_quiet_question_says_what_it_is_about() -> None:
    made = app("y\n", quiet=True)
    ask(made, OPENS, STOPS, yes=True)
    assert printed(made.streams)[1] == "! this opens the chat\nDeploy? [y/N] "
