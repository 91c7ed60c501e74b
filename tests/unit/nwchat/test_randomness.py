"""The functions take randomness from the operating system: SnapStart copies the state of a generator."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.paths import ROOT

MODULES = sorted((ROOT / "lambdas" / "nwchat").rglob("*.py"))
FROM_THE_SYSTEM = {"SystemRandom", "seed"}
"""`random.seed()` without arguments takes it from there as well."""


def copied_randomness(source: str) -> list[str]:
    """The uses of the generators of `random` that have a state."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            found += [each.name for each in node.names if each.name not in FROM_THE_SYSTEM]
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "random"
            and node.attr not in FROM_THE_SYSTEM
        ):
            found.append(node.attr)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_function_uses_a_generator_with_a_state(module: Path) -> None:
    assert copied_randomness(module.read_text()) == []


def test_uses_are_found() -> None:
    source = "import random\nfrom random import uniform, SystemRandom\nrandom.random()\nrandom.seed()"
    assert sorted(copied_randomness(source)) == ["random", "uniform"]
