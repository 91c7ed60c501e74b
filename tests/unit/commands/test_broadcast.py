"""What `broadcast` ends with, by what became of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nwchat.delivery.tally import Counts
from nwchat.model.wire import Message
from nwchatctl.chat.broadcast_message import BroadcastResult
from nwchatctl.commands.broadcast import _announcement_of, _report
from nwchatctl.errors import ChatError
from nwchatctl.operations.broadcast.request import BroadcastRequest

GONE_WRONG = Counts(
    recipients=200, refused=200, cut_short=True, broken_off="the first 200 were all refused: 403"
)

TO_ALL = BroadcastRequest(Message("id", "hello", "operator", "", 1), "", "", ephemeral=False, rate=1.0)


@pytest.mark.parametrize(
    "raw", ["Prüfung".encode("latin-1"), "Prüfung".encode("utf-16"), bytes(range(100, 200)), b"ok \xc3"]
)
def test_stdin_that_is_not_utf_8_is_refused(raw: bytes) -> None:
    with pytest.raises(ChatError) as caught:
        _announcement_of(raw)
    assert (caught.value.code, caught.value.exit_code) == ("not_utf8", 2)


def test_stdin_in_utf_8_is_taken_with_and_without_its_mark() -> None:
    assert _announcement_of("Prüfung\n".encode()) == "Prüfung\n"
    assert _announcement_of("Prüfung".encode("utf-8-sig")) == "Prüfung"


@pytest.mark.parametrize(
    ("sent", "code", "stopped"),
    [
        (BroadcastResult("id", Counts(3, 2, 1)), 0, None),
        (BroadcastResult("id", already_sent=True), 0, None),
        (BroadcastResult("id", Counts(3, 2, failed=1)), 5, None),
        (BroadcastResult("id", Counts(3, 2, refused=1)), 5, None),
        (BroadcastResult("id", Counts(3, 2, buffer_full=1, disconnected=1)), 0, None),
        (BroadcastResult("id", Counts(3, 3, cut_short=True)), 5, None),
        (BroadcastResult("id", GONE_WRONG), 1, "broken off"),
        (BroadcastResult("id", Counts(9, 5, failed=4, cut_short=True, broken_off="30 s")), 5, "broken off"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="interrupted"), 130, "interrupted"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="terminated"), 143, "terminated"),
        (BroadcastResult("id", Counts(1, 1, cut_short=True), stopped="timed out"), 5, "timed out"),
        (BroadcastResult("id", Counts(1, 0, cut_short=True), stopped="timed out"), 1, "timed out"),
    ],
)
def test_the_exit_code_says_how_it_ended(sent: BroadcastResult, code: int, stopped: str | None) -> None:
    report = _report(sent, TO_ALL, 0.0, dry_run=False)
    assert (report.exit_code, report.data["stopped"]) == (code, stopped)
    assert bool(stopped) == any("the same command again goes on" in each for each in report.warnings)


def test_abort_has_a_reason_and_a_hint() -> None:
    (warning,) = _report(BroadcastResult("id", GONE_WRONG), TO_ALL, 0.0, dry_run=False).warnings
    assert "the first 200 were all refused: 403" in warning
    assert "nwchatctl policy run" in warning


def test_slow_readers_are_reported() -> None:
    sent = BroadcastResult("id", Counts(3, 1, buffer_full=2, disconnected=1))
    report = _report(sent, TO_ALL, 0.0, dry_run=False)
    assert (report.data["buffer_full"], report.data["disconnected"], report.data["failed"]) == (2, 1, 0)
    (warning,) = report.warnings
    assert warning.startswith("2 connections do not read, so 1 of them were closed")
    assert "history" in warning


def test_slow_readers_miss_an_announcement_that_is_not_stored() -> None:
    sent = BroadcastResult("id", Counts(3, 2, buffer_full=1, disconnected=1))
    report = _report(sent, replace(TO_ALL, ephemeral=True), 0.0, dry_run=False)
    assert report.exit_code == 5
    assert "do not get the announcement" in report.warnings[0]
