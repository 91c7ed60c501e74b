"""The table of start-up times: medians, their ratio, and whether it is what was aimed at."""

from __future__ import annotations

import pytest

from bench.startup.__main__ import LIMITS, MIN_RUNS, main
from bench.startup.table import RatioLimit, table


def test_ratios_are_those_of_medians() -> None:
    times = {"a": [0.060, 9.0, 0.040], "b": [0.100, 0.020, 0.030], "c": [0.1]}
    lines = list(
        table(
            [RatioLimit("a", "b", 2.0), RatioLimit("a", "c", 0.6, exclusive=True), RatioLimit("c", "b", 3.3)],
            times,
        )
    )
    assert lines[2:] == [
        "| `a` | 60 ms | b | 30 ms | 2.00 | ≤ 2 | yes |",
        "| `a` | 60 ms | c | 100 ms | 0.60 | < 0.6 | **no** |",
        "| `c` | 100 ms | b | 30 ms | 3.33 | ≤ 3.3 | **no** |",
    ]
    assert {each.count("|") for each in lines} == {8}


@pytest.mark.parametrize(
    ("limit", "ratio", "is_met"),
    [
        (RatioLimit("a", "b", 1.2), 1.2, True),
        (RatioLimit("a", "b", 1.2), 1.2001, False),
        (RatioLimit("a", "b", 0.6, exclusive=True), 0.6, False),
        (RatioLimit("a", "b", 0.6, exclusive=True), 0.5999, True),
    ],
)
def test_the_limit_itself(limit: RatioLimit, ratio: float, is_met: bool) -> None:
    assert limit.is_met(ratio) is is_met


def test_what_is_aimed_at() -> None:
    assert [(each.command, each.limit) for each in LIMITS] == [
        ("nwchatctl --version", 1.2),
        ("nwchatctl --help", 1.2),
        ("nwchatctl --help", 1.2),
        ("nwchatctl --help", 0.6),
        ("nwchatctl connections list --json", 1.8),
    ]


def test_too_few_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--runs", str(MIN_RUNS - 1)])
    assert "is 15 at least" in capsys.readouterr().err
