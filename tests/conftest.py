"""In what order the tests run, what they read once, and what those have to say that passed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings

_TURNS = (
    *("test_killed_first", "test_killed_update", "test_deploy", "test_history", "test_least_privilege_"),
    *("test_killed_", "test_chat", "e2e/"),
)
"""Long ones first, since a worker takes a file at a time and the last one would work for minutes on its own;
those that wait for the embedded AWS beside those that need a core."""


_load: Any = JSONFileLoader.load_file


@cache
def _endpoints(path: str) -> Any:
    return _load(JSONFileLoader(), path)


# How long one example takes depends on what else the machine does; `timeout` in pyproject.toml bounds a test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Has botocore parse its list of all endpoints once a process: every session parses it, for 50 ms of CPU,
    and most tests have sessions of their own. Models are not shared, as moto changes some of its."""

    def load(loader: JSONFileLoader, path: str) -> Any:
        return _endpoints(path) if Path(path).name == "endpoints" else _load(loader, path)

    loaders: Any = JSONFileLoader
    loaders.load_file = load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((at for at, part in enumerate(_TURNS) if part in path), len(_TURNS))

    items.sort(key=turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests recorded as the property `said`, also those that ran in other processes."""
    said = [
        text
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "said"
    ]
    if said:
        terminalreporter.section("said")
    for text in said:
        terminalreporter.line(str(text))
