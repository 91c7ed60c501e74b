"""What the tests have to say that passed."""

from __future__ import annotations

import pytest


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
