"""The simulation of a large room: what limits it, and that nobody is lost on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.fanout.__main__ import main
from bench.fanout.simulation import FanoutParameters, seconds_without_fanout, simulate

SIMULATION = FanoutParameters()


def test_the_rate_is_what_limits_enough_functions() -> None:
    few, many = simulate(SIMULATION, 100_000, 4), simulate(SIMULATION, 100_000, 40)
    for each in (few, many):
        assert each.last_seconds == pytest.approx(100_000 / SIMULATION.rate, abs=1.5)
        assert each.half_seconds == pytest.approx(each.last_seconds / 2, abs=1.0)
        assert (each.throttled, each.lost) == (0, 0)
    # Ten times as many functions wait ten times as long together.
    assert many.function_seconds == pytest.approx(10 * few.function_seconds, rel=0.05)


def test_functions_that_are_too_slow_are_the_limit_themselves() -> None:
    slow = replace(SIMULATION, posts_per_core=500)
    assert simulate(slow, 100_000, 4).last_seconds == pytest.approx(100_000 / 2000, abs=1.5)
    assert simulate(slow, 100_000, 16).last_seconds == pytest.approx(100_000 / SIMULATION.rate, abs=1.5)
    # Half the memory is half the core.
    assert simulate(replace(SIMULATION, memory_mb=885), 100_000, 4).last_seconds == pytest.approx(25, abs=1.5)


def test_beyond_the_quota_there_are_429s() -> None:
    greedy = replace(SIMULATION, rate=20_000, posts_per_core=10_000)
    done = simulate(greedy, 100_000, 10)
    assert done.throttled > 0
    # The bucket's 5,000 come on top.
    assert done.last_seconds == pytest.approx(95_000 / 9_500, abs=1.5)


def test_segment_continues_in_further_runs() -> None:
    done = simulate(replace(SIMULATION, timeout_seconds=30), 1_000_000, 8)
    assert done.invocations == 8 * 7
    assert (done.lost, done.longest_run <= 30) == (0, True)
    assert done.last_seconds == pytest.approx(127, abs=3)


def test_number_of_further_runs_is_bounded() -> None:
    done = simulate(replace(SIMULATION, timeout_seconds=15, rate=800), 100_000, 4)
    assert done.invocations == 4 * 11
    assert done.lost == pytest.approx(100_000 - 11 * 5 * 800, rel=0.05)


def test_small_rooms_need_no_fanout() -> None:
    assert seconds_without_fanout(SIMULATION, 50) < 0.1
    assert simulate(SIMULATION, 50, 4).last_seconds > 0.5


def test_two_tables_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.fanout.__main__.ROOMS", (100_000,))
    assert main(["--posts", "4000"]) == 0
    rooms, small = capsys.readouterr().out.split("\n\n")
    for table, columns in ((rooms, 11), (small, 4)):
        assert {line.count("|") for line in table.splitlines()} == {columns + 1}
    assert "| 100,000 | 25,000 | 4 |" in rooms
