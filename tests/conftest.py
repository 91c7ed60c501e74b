"""In what order the tests run, and what those have to say that passed."""

from __future__ import annotations

import pytest

_LONG_FIRST = ("test_killed_", "test_deploy_faults", "test_history_follow", "test_least_privilege_", "e2e/")
"""A worker takes a file at a time: with the long ones last, one would work for minutes on its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((at for at, part in enumerate(_LONG_FIRST) if part in path), len(_LONG_FIRST))

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
