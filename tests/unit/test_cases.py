"""The table of reported faults: every test that it names exists."""

from __future__ import annotations

import ast
from functools import cache

from tests.cases.table import CASES
from tests.paths import ROOT


@cache
def _tests_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def test_every_named_test_exists() -> None:
    named = [each.partition("::") for case in CASES for each in case.tests]
    assert [
        path for path, _, name in named if not name.startswith("test_") or name not in _tests_in(path)
    ] == []


def test_every_case_has_a_test_or_a_reason() -> None:
    assert [case.right for case in CASES if bool(case.tests) == bool(case.reason)] == []


def test_no_case_stands_twice() -> None:
    assert len({case.right for case in CASES}) == len(CASES)
