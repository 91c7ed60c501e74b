"""Times and ages, as they are typed."""

from __future__ import annotations

from datetime import datetime

import pytest
import typer

from nwchatctl.commands.options import LONGEST_SECONDS, parse_seconds, parse_when, stdin_bytes
from nwchatctl.errors import ChatError
from nwchatctl.timestamps import LAST_MS

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1.5h", 5400), ("250ms", 0.25)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


def test_longest_length_of_time_is_that_of_the_last_date() -> None:
    assert LONGEST_SECONDS == LAST_MS / 1000


@pytest.mark.parametrize("text", ["", "0", "-5", "5x", "1e3", "s", "٣s", "5 m", "9" * 13, "nan", "1..2"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1681948677", 1_681_948_677_000),
        ("1681948677627", 1_681_948_677_627),
        ("2h", NOW - 7_200_000),
        ("90s", NOW - 90_000),
        ("2023-04-19T23:57:57.627Z", 1_681_948_677_627),
        ("2023-04-19T23:57:57+00:00", 1_681_948_677_000),
        ("2023-04-19", round(datetime(2023, 4, 19).timestamp() * 1000)),
    ],
)
def test_times(text: str, ms: int) -> None:
    assert parse_when(text).epoch_ms(NOW) == ms


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2023-13-01", "-5", "1e3", "0001-01-01T00:00:00+14:00", "1.2.3s", "999999999999999"],
)
def test_no_times(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_when(text)


def test_a_process_without_stdin_has_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ChatError) as raised:
        stdin_bytes()
    assert (raised.value.code, raised.value.exit_code) == ("stdin_closed", 2)
