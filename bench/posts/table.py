"""Figures in, Markdown and a chart in text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from bench.posts.measure import Aim, Figures
from bench.posts.model import Case, Contender, Results

HEAD = ("contender", "posts/s", "CPU-s per 1,000", "posts per CPU-s", "ratio", "peak memory")
_BAR = 44
_EIGHTHS = " ▏▎▍▌▋▊▉"


def about(results: Results, rounds: int, posts: int) -> str:
    """What was measured, in one line."""
    busy = f"load of the machine at the start: {results.load:.1f}"
    return f"{rounds} rounds of {posts:,} posts, slow contenders a part of that; stub: {results.stub}; {busy}"


def tables(
    results: Results, found: Mapping[tuple[Case, str], Figures], contenders: Sequence[Contender]
) -> Iterator[str]:
    """A table for each case: a line for each contender, in their order, and the stub's own ceiling."""
    for case in sorted({case for case, _ in found}, key=lambda each: (each.latency_ms, each.tls)):
        yield f"### {case}"
        yield ""
        yield line(HEAD)
        yield line(["---", *["---:"] * (len(HEAD) - 1)])
        for contender in contenders:
            if (case, contender.name) in found:
                yield line(_cells(contender.label, found[case, contender.name]))
        if case in results.ceilings:
            rate = median(results.ceilings[case])
            yield line([f"wrk ({results.stub})", f"{rate:,.0f}", "", "", "", ""])
        yield ""


def _cells(label: str, figures: Figures) -> list[str]:
    lost = f" ({figures.lost} lost)" if figures.lost else ""
    return [
        label + lost,
        f"{figures.rate:,.0f}",
        f"{figures.cpu:.3f}",
        f"{figures.per_cpu:,.0f}",
        "–" if figures.ratio is None else f"{figures.ratio:.2f}×",
        f"{figures.peak_mb:.0f} MB",
    ]


def aims(
    wanted: Iterable[Aim], found: Mapping[tuple[Case, str], Figures], labels: Mapping[str, str]
) -> Iterator[str]:
    """A table of the aims whose contenders ran; nothing when there is none."""
    rows = [(aim, found[aim.case, aim.name]) for aim in wanted if (aim.case, aim.name) in found]
    if not rows:
        return
    yield line(["aim", "wanted", "found", ""])
    yield line(["---", "---:", "---:", "---"])
    for aim, figures in rows:
        reached = {True: "reached", False: "missed", None: "not measured"}[aim.reached(figures)]
        yield line([f"{labels[aim.name]}, {aim.case}", *_spelled(aim, figures), reached])
    yield ""


def _spelled(aim: Aim, figures: Figures) -> tuple[str, str]:
    value = aim.found(figures)
    if aim.times is not None:
        return f"{aim.times:g}×", "–" if value is None else f"{value:.2f}×"
    return f"{aim.rate:,.0f} posts/s", f"{value:,.0f} posts/s"


def chart(
    found: Mapping[tuple[Case, str], Figures], contenders: Sequence[Contender], cases: Iterable[Case]
) -> Iterator[str]:
    """Posts per second of processor, a bar for each contender; all cases on one scale."""
    most = max((each.per_cpu for each in found.values()), default=0)
    width = max((len(each.label) for each in contenders), default=0)
    yield "Posts per CPU-second"
    for case in cases:
        rows = [(each.label, found[case, each.name]) for each in contenders if (case, each.name) in found]
        if rows:
            yield ""
            yield f"  {case}"
        for label, figures in rows:
            yield f"  {label:<{width}} {bar(figures.per_cpu / most)} {figures.per_cpu:,.0f}"


def bar(part: float, width: int = _BAR) -> str:
    """A bar that is `part` of `width` characters long, to an eighth of one.

    >>> bar(0.5, 3)
    '█▌'
    """
    whole, eighths = divmod(round(part * width * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
