"""The table of the `message` function: medians, and how many times less each round needed."""

from __future__ import annotations

from bench.message.table import table
from bench.posts.model import Sample


def sample(seconds: float, cpu: float, peak_mb: int = 60) -> Sample:
    return Sample(101, seconds, cpu, peak_mb * 1024, 101)


def test_both_ways_and_the_median_of_each_rounds_own_ratio() -> None:
    found = {
        (1000, "before"): [sample(1.0, 0.9), sample(4.0, 1.0, 80), sample(1.2, 1.2)],
        (1000, "now"): [sample(0.5, 0.1), sample(1.0, 0.1), sample(0.1, 0.2)],
        (100, "now"): [sample(0.1, 0.01)],
    }
    head, rule, *rows = table(found)
    assert head.count("|") == rule.count("|") == 8
    assert rows == [
        "| 100 | now | 0.10 s | 0.01 | 60 MB | – | – |",
        "| 1,000 | before | 1.20 s | 1.00 | 60 MB |  |  |",
        # 2, 4 and 12 times; 9, 10 and 6 times.
        "| 1,000 | now | 0.50 s | 0.10 | 60 MB | 4.0× | 9.0× |",
    ]
