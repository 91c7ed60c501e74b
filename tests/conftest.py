"""The order of the tests, a cache for botocore's endpoint list, and a summary of what tests measured."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings

_E2E = Path(__file__).parent / "e2e"

_LONG_FIRST = (
    # It waits nearly all of its three minutes, in which the other workers have the processor.
    "pace/",
    "live/",
    *("interruption/test_killed_first", "interruption/test_killed_update"),
    *("deploy/test_deploy", "deploy/test_(?!adopt)", "interruption/test_(faults|interrupted)"),
    *("history/", "permissions/", "interruption/", "chat/", "connections/test_rows", "auth/test_token", ""),
)
"""Regular expressions of files in tests/e2e, those that take the longest first. A worker takes a file at a
time: a long file that starts last keeps one worker busy while the others have nothing left to do. The unit
and adapter tests come after them."""


_load: Any = JSONFileLoader.load_file


@cache
def _endpoints(path: str) -> Any:
    return _load(JSONFileLoader(), path)


# How long one example takes depends on what else the machine does; `timeout` in pyproject.toml bounds a test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Makes botocore parse its list of endpoints once per process: each session parses it, which takes 50 ms
    of CPU, and most tests create a session. Models are not shared, because moto changes some of them."""

    def load(loader: JSONFileLoader, path: str) -> Any:
        return _endpoints(path) if Path(path).name == "endpoints" else _load(loader, path)

    loaders: Any = JSONFileLoader
    loaders.load_file = load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        if not item.path.is_relative_to(_E2E):
            return len(_LONG_FIRST)
        path = item.path.relative_to(_E2E).as_posix()
        return next(at for at, pattern in enumerate(_LONG_FIRST) if re.match(pattern, path))

    items.sort(key=rank)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the property `summary` of the tests that passed, from all worker processes."""
    summaries = [
        text
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "summary"
    ]
    if summaries:
        terminalreporter.section("summary")
    for text in summaries:
        terminalreporter.line(str(text))
