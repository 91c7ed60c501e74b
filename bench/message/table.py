"""Converts samples to a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.posts.model import Sample
from bench.posts.table import markdown_row

HEADER = ("rows", "", "time", "CPU-s", "peak memory", "time, times less", "CPU, times less")


def table(samples_by_key: Mapping[tuple[int, str], Sequence[Sample]]) -> Iterator[str]:
    """One line per number of rows and variant (`before`, `now`), with medians.

    The improvement of `now` is the median of the ratios of each round.
    """
    yield markdown_row(HEADER)
    yield markdown_row(["---:", "---", *["---:"] * (len(HEADER) - 2)])
    for (rows, kind), samples in sorted(samples_by_key.items()):
        yield markdown_row(
            [
                f"{rows:,}",
                kind,
                f"{median(each.seconds for each in samples):.2f} s",
                f"{median(each.cpu_seconds for each in samples):.2f}",
                f"{median(each.peak_kb for each in samples) / 1024:.0f} MB",
                *(
                    _improvement(samples_by_key.get((rows, "before"), ()), samples)
                    if kind == "now"
                    else ("", "")
                ),
            ]
        )


def _improvement(before: Sequence[Sample], now: Sequence[Sample]) -> tuple[str, str]:
    pairs = list(zip(before, now, strict=False))
    if not pairs:
        return "–", "–"
    seconds = median(old.seconds / new.seconds for old, new in pairs)
    cpu = median(old.cpu_seconds / new.cpu_seconds for old, new in pairs)
    return f"{seconds:.1f}×", f"{cpu:.1f}×"
