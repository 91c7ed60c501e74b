"""What `connections kick --all` says before it asks for the chat's name."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nwchatctl.commands.connections import kick as command
from nwchatctl.context import App, GlobalOptions
from nwchatctl.deploy.location import Location
from nwchatctl.errors import ChatError
from nwchatctl.operations import kick
from tests.unit.output.memory_streams import printed, streams

PAGES = [["a", "b"], ["c"]]
TEXT = "all 3 connections of chat ninjawars in account 123456789012, eu-west-1 are closed"


def app(answers: str | None, pages: Any = PAGES, *, quiet: bool = False, json: bool = False) -> App:
    """A run at a terminal with these answers; without, at none."""
    made = App(environ={"HOME": os.devnull}, options=GlobalOptions(quiet=quiet), json=json)
    made.cwd = Path(os.devnull)
    made.streams = streams(asks=answers is not None, answers=answers or "")
    location = Location("123456789012", "eu-west-1")
    made.cloud = SimpleNamespace(location=location)  # type: ignore[assignment]
    made.store = SimpleNamespace(connections=lambda now_ms: iter(pages))  # type: ignore[assignment]
    made.clock = SimpleNamespace(is_set=True, now_ms=lambda: 0)  # type: ignore[assignment]
    return made


def test_connections_are_counted_for_whoever_can_answer() -> None:
    assert kick.everybody(app("")) == TEXT
    one = kick.everybody(app("", [["a"]]))
    assert one.startswith("the one connection of chat ninjawars")
    assert one.endswith("is closed")
    assert kick.everybody(app("", [])).startswith("no connection of chat ninjawars")


@pytest.mark.parametrize("made", [app(None, None), app("", None, json=True)])
def test_connections_are_not_read_for_an_error(made: App) -> None:
    assert kick.everybody(made).startswith("all connections of chat ninjawars in account")


def test_question_is_preceded_by_what_it_is_about() -> None:
    for quiet in (False, True):
        made = app("ninjawars\n", quiet=quiet)
        command._confirm_everybody(made, "", TEXT)
        assert printed(made.streams)[1] == f"! {TEXT}\nType the name, ninjawars, to go on: "


def test_missing_confirmation_says_what_it_is_about() -> None:
    with pytest.raises(ChatError) as caught:
        command._confirm_everybody(app(None), "", TEXT)
    assert (caught.value.exit_code, caught.value.hint) == (7, "give --confirm ninjawars")
    assert TEXT in caught.value.message


def test_given_name_says_nothing() -> None:
    made = app(None)
    command._confirm_everybody(made, "ninjawars", "")
    assert printed(made.streams) == ("", "")
