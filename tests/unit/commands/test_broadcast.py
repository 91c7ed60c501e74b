"""What `broadcast` ends with, by what became of it."""

from __future__ import annotations

import pytest

from nwchat.delivery.tally import Counts
from nwchatctl.chat.broadcast_message import BroadcastResult
from nwchatctl.commands.broadcast import _report

GONE_WRONG = Counts(
    recipients=200, refused=200, cut_short=True, broken_off="the first 200 were all refused: 403"
)


@pytest.mark.parametrize(
    ("sent", "code", "stopped"),
    [
        (BroadcastResult("id", Counts(3, 2, 1)), 0, None),
        (BroadcastResult("id", already_sent=True), 0, None),
        (BroadcastResult("id", Counts(3, 2, failed=1)), 5, None),
        (BroadcastResult("id", Counts(3, 2, refused=1)), 5, None),
        (BroadcastResult("id", Counts(3, 3, cut_short=True)), 5, None),
        (BroadcastResult("id", GONE_WRONG), 1, "broken off"),
        (BroadcastResult("id", Counts(9, 5, failed=4, cut_short=True, broken_off="30 s")), 5, "broken off"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="interrupted"), 130, "interrupted"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="terminated"), 143, "terminated"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="timed out"), 1, "timed out"),
    ],
)
def test_the_exit_code_says_how_it_ended(sent: BroadcastResult, code: int, stopped: str | None) -> None:
    report = _report(sent, 0.0, dry_run=False)
    assert (report.exit_code, report.data["stopped"]) == (code, stopped)
    assert bool(stopped) == any("the same command again goes on" in each for each in report.warnings)


def test_abort_has_a_reason_and_a_hint() -> None:
    (warning,) = _report(BroadcastResult("id", GONE_WRONG), 0.0, dry_run=False).warnings
    assert "the first 200 were all refused: 403" in warning
    assert "nwchatctl policy run" in warning
