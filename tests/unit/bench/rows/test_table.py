"""The table of pruning and exporting: medians, in the order in which they ran."""

from __future__ import annotations

from bench.posts.model import Sample
from bench.rows.__main__ import table


def test_medians() -> None:
    runs = [Sample(1000, seconds, cpu, 61_440, 1000) for seconds, cpu in ((1.0, 0.3), (4.0, 0.1), (2.0, 0.2))]
    assert list(table({("prune", 1000): runs, ("export", 1000): runs[:1]}))[2:] == [
        "| prune | 1,000 | 2.00 s | 500 | 0.20 | 60 MB |",
        "| export | 1,000 | 1.00 s | 1,000 | 0.30 | 60 MB |",
    ]
