"""In what order the tests run, and what those have to say that passed."""

from __future__ import annotations

import pytest

_TURNS = (
    *("test_killed_first", "test_killed_update", "test_deploy", "test_history", "test_least_privilege_"),
    *("test_killed_", "test_chat", "e2e/"),
)
"""Long ones first, since a worker takes a file at a time and the last one would work for minutes on its own;
those that wait for the embedded AWS beside those that need a core."""


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
