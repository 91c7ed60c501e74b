"""The tree of commands: help, examples, and the reference that is made from it."""

from __future__ import annotations

import re

import pytest

from nwchatctl.cli import COMMANDS, PROGRAM, tree
from nwchatctl.command_tree import Command, CommandEntry, Commands
from nwchatctl.reference import entries, reference
from tests.paths import DOCS

HELPS = dict(entries())


GROUPS = {path.rpartition(" ")[0] for path in HELPS}


@pytest.mark.parametrize("path", [path for path in HELPS if path not in GROUPS])
def test_every_command_has_examples(path: str) -> None:
    shown = re.split(r"Examples:\n", HELPS[path])
    assert len(shown) == 2, "no examples"
    assert shown[1].count("nwchatctl") >= 2


def test_help_fits_80_columns() -> None:
    root = tree()
    ctx = root.context_class(root, info_name="nwchatctl", terminal_width=80)
    assert max(map(len, root.get_help(ctx).splitlines())) <= 80


@pytest.mark.parametrize("path", HELPS)
def test_examples_fit_80_columns(path: str) -> None:
    examples = HELPS[path].partition("Examples:\n")[2]
    assert [line for line in examples.splitlines() if len(line) > 80] == []


def test_commands_are_listed_in_the_order_of_the_table() -> None:
    listed = tree().list_commands(None)
    assert len(listed) == len(COMMANDS)
    assert listed[0] == "init"
    assert listed[-1] == "help"


@pytest.mark.parametrize("entry", COMMANDS)
def test_what_is_listed_is_what_the_command_says(entry: object) -> None:
    assert isinstance(entry, CommandEntry)
    # typer shows the first sentence, or as much of it as there is room for.
    assert tree().commands[entry.name].get_short_help_str(1000) == entry.about


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_help_is_the_same_when_all_is_loaded(width: int) -> None:
    listing, loaded = tree(), tree()
    assert all(loaded.commands.values())
    helps = [
        each.get_help(each.context_class(each, info_name=PROGRAM, terminal_width=width))
        for each in (listing, loaded)
    ]
    assert helps[0] == helps[1]


def test_a_module_is_loaded_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = CommandEntry.load

    def noted(entry: CommandEntry) -> Command | Commands:
        loaded.append(entry.name)
        return load(entry)

    monkeypatch.setattr(CommandEntry, "load", noted)
    root = tree()
    root.get_help(root.context_class(root, info_name=PROGRAM))
    assert loaded == []
    for _ in range(2):
        assert root.resolve_command(None, ["config", "show"])[::2] == ("config", ["show"])
    assert loaded == ["config"]


def test_the_reference_is_current() -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == reference(), "run: make docs"
