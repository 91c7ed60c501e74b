"""Times in, a Markdown table of medians and ratios out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

HEAD = ("command", "median", "beside", "median", "ratio", "aim", "met")


@dataclass(frozen=True)
class Aim:
    """`command` is to take at most `limit` times as long as `beside`; less than that where it is `under`."""

    command: str
    beside: str
    limit: float
    under: bool = False

    def met(self, ratio: float) -> bool:
        """Whether that ratio of the medians is what was aimed at."""
        return ratio < self.limit if self.under else ratio <= self.limit


def table(aims: Iterable[Aim], times: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """A line for each aim; `times` has the seconds of every run, by command."""
    yield _line(HEAD)
    yield _line(("---", "---:", "---", "---:", "---:", "---:", "---"))
    for each in aims:
        own, other = median(times[each.command]), median(times[each.beside])
        ratio = own / other
        yield _line(
            (
                f"`{each.command}`",
                f"{own * 1000:.0f} ms",
                each.beside,
                f"{other * 1000:.0f} ms",
                f"{ratio:.2f}",
                f"{'<' if each.under else '≤'} {each.limit:g}",
                "yes" if each.met(ratio) else "**no**",
            )
        )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
