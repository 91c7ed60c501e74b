"""Converts times to a Markdown table of medians and ratios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.posts.table import markdown_row

HEADER = ("command", "median", "beside", "median", "ratio", "aim", "met")


@dataclass(frozen=True)
class RatioLimit:
    """`command` takes at most `limit` times as long as `baseline`; less than that with `exclusive`."""

    command: str
    baseline: str
    limit: float
    exclusive: bool = False

    def is_met(self, ratio: float) -> bool:
        """Whether the ratio of the medians is within the limit."""
        return ratio < self.limit if self.exclusive else ratio <= self.limit


def table(limits: Iterable[RatioLimit], times: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """A line for each aim; `times` has the seconds of every run, by command."""
    yield markdown_row(HEADER)
    yield markdown_row(("---", "---:", "---", "---:", "---:", "---:", "---"))
    for each in limits:
        own_median, baseline_median = median(times[each.command]), median(times[each.baseline])
        ratio = own_median / baseline_median
        yield markdown_row(
            (
                f"`{each.command}`",
                f"{own_median * 1000:.0f} ms",
                each.baseline,
                f"{baseline_median * 1000:.0f} ms",
                f"{ratio:.2f}",
                f"{'<' if each.exclusive else '≤'} {each.limit:g}",
                "yes" if each.is_met(ratio) else "**no**",
            )
        )
