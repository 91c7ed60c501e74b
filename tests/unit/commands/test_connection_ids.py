"""Connection ids as arguments: some of API Gateway's begin with a dash."""

from __future__ import annotations

import pytest

from nwchatctl.commands.connections.shared import ids_after_dashes

ID, OTHER, DASHED = "L0SM9cOFvHcCIhw=", "_0SM9cOFvHcCIhw=", "-0SM9cOFvHcCIhw="
WITH_VALUE = frozenset({"--user", "--rate"})


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ([DASHED], ["--", DASHED]),
        ([DASHED, "--json"], ["--json", "--", DASHED]),
        (["-n", ID, DASHED, OTHER], ["-n", ID, OTHER, "--", DASHED]),
        ([DASHED, "-ySM9cOFvHcCIhw="], ["--", DASHED, "-ySM9cOFvHcCIhw="]),
        (["--SM9cOFvHcCIhw="], ["--", "--SM9cOFvHcCIhw="]),
    ],
)
def test_ids_that_begin_with_a_dash_are_arguments(given: list[str], parsed: list[str]) -> None:
    assert ids_after_dashes(given, WITH_VALUE) == parsed


@pytest.mark.parametrize(
    "given",
    [
        [ID, "--json"],
        ["-n", "--", DASHED],
        ["--user", DASHED],
        ["--rate", "5", ID],
        ["-y", "--confirm=x"],
        ["-short="],
    ],
)
def test_other_arguments_stay_as_they_are(given: list[str]) -> None:
    assert ids_after_dashes(given, WITH_VALUE) == given
