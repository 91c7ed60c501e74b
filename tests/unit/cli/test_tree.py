"""The tree of commands: help, examples, and the reference that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nwchatctl.cli import COMMANDS, tree
from nwchatctl.reference import entries, reference

DOCS = Path(__file__).parents[3] / "docs" / "commands.md"

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


def test_the_reference_is_current() -> None:
    assert DOCS.read_text(encoding="utf-8") == reference(), "run: make docs"
