"""Converts figures to Markdown tables and a text chart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from bench.posts.measure import Figures, Goal
from bench.posts.model import Case, Contender, Results

HEADER = ("contender", "posts/s", "CPU-s per 1,000", "posts per CPU-s", "ratio", "peak memory")
_BAR = 44
_EIGHTHS = " ▏▎▍▌▋▊▉"


def summary_line(results: Results, rounds: int, posts: int) -> str:
    """The conditions of the measurement in one line."""
    busy = f"load of the machine at the start: {results.load:.1f}"
    return f"{rounds} rounds of {posts:,} posts, slow contenders a part of that; stub: {results.stub}; {busy}"


def case_tables(
    results: Results, figures_by_key: Mapping[tuple[Case, str], Figures], contenders: Sequence[Contender]
) -> Iterator[str]:
    """One table per case: one line per contender, in their order, and the ceiling of the stub."""
    for case in sorted({case for case, _ in figures_by_key}, key=lambda each: (each.latency_ms, each.tls)):
        yield f"### {case}"
        yield ""
        yield markdown_row(HEADER)
        yield markdown_row(["---", *["---:"] * (len(HEADER) - 1)])
        for contender in contenders:
            if (case, contender.name) in figures_by_key:
                yield markdown_row(_cells(contender.label, figures_by_key[case, contender.name]))
        if case in results.ceilings:
            rate = median(results.ceilings[case])
            yield markdown_row([f"wrk ({results.stub})", f"{rate:,.0f}", "", "", "", ""])
        yield ""


def _cells(label: str, figures: Figures) -> list[str]:
    lost = f" ({figures.lost} lost)" if figures.lost else ""
    return [
        label + lost,
        f"{figures.rate:,.0f}",
        f"{figures.cpu_per_1000:.3f}",
        f"{figures.per_cpu_second:,.0f}",
        "–" if figures.ratio is None else f"{figures.ratio:.2f}×",
        f"{figures.peak_mb:.0f} MB",
    ]


def goal_table(
    wanted: Iterable[Goal], figures_by_key: Mapping[tuple[Case, str], Figures], labels: Mapping[str, str]
) -> Iterator[str]:
    """The table of the goals whose contenders ran; empty if no such contender ran."""
    rows = [
        (goal, figures_by_key[goal.case, goal.name])
        for goal in wanted
        if (goal.case, goal.name) in figures_by_key
    ]
    if not rows:
        return
    yield markdown_row(["aim", "wanted", "found", ""])
    yield markdown_row(["---", "---:", "---:", "---"])
    for goal, figures in rows:
        reached = {True: "reached", False: "missed", None: "not measured"}[goal.is_reached(figures)]
        yield markdown_row([f"{labels[goal.name]}, {goal.case}", *_goal_and_value(goal, figures), reached])
    yield ""


def _goal_and_value(goal: Goal, figures: Figures) -> tuple[str, str]:
    value = goal.value(figures)
    if goal.min_ratio is not None:
        return f"{goal.min_ratio:g}×", "–" if value is None else f"{value:.2f}×"
    return f"{goal.min_rate:,.0f} posts/s", f"{value:,.0f} posts/s"


def chart(
    figures_by_key: Mapping[tuple[Case, str], Figures], contenders: Sequence[Contender], cases: Iterable[Case]
) -> Iterator[str]:
    """Posts per second of CPU time, one bar per contender; all cases on one scale."""
    most = max((each.per_cpu_second for each in figures_by_key.values()), default=0)
    width = max((len(each.label) for each in contenders), default=0)
    yield "Posts per CPU-second"
    for case in cases:
        rows = [
            (each.label, figures_by_key[case, each.name])
            for each in contenders
            if (case, each.name) in figures_by_key
        ]
        if rows:
            yield ""
            yield f"  {case}"
        for label, figures in rows:
            yield f"  {label:<{width}} {bar(figures.per_cpu_second / most)} {figures.per_cpu_second:,.0f}"


def bar(part: float, width: int = _BAR) -> str:
    """A bar of length `part` times `width` characters, rounded to an eighth of a character.

    >>> bar(0.5, 3)
    '█▌'
    """
    whole, eighths = divmod(round(part * width * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")


def markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
