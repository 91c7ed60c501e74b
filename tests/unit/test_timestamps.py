"""Times as they are shown, up to the last that a calendar has."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nwchatctl.timestamps import iso, local

LAST_MS = 253_402_300_799_999


@pytest.fixture(params=["Asia/Tokyo", "UTC", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as within:
        within.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_the_end_of_the_year_9999_is_shown_everywhere(zone: str) -> None:
    """East of Greenwich it is in the year 10000, which Python has not."""
    west = zone == "America/New_York"
    assert local(LAST_MS) == ("9999-12-31 18:59:59" if west else "9999-12-31 23:59:59")
    assert iso(LAST_MS) == "9999-12-31T23:59:59.999Z"
    assert local(None) == local(LAST_MS + 1) == "-"


def test_others_are_shown_in_local_time(zone: str) -> None:
    hour = {"Asia/Tokyo": 21, "UTC": 12, "America/New_York": 7}[zone]
    assert local(1_700_049_600_000) == f"2023-11-15 {hour:02}:00:00"
