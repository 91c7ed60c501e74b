"""The chart as SVG: posts per second of CPU time, one panel per case, all on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from bench.posts.measure import Figures
from bench.posts.model import Case, Contender

_LEFT, _BAR, _RIGHT = 220, 460, 150
_ROW, _GAP, _TOP = 24, 34, 44
_WIDTH = _LEFT + _BAR + _RIGHT
_OURS, _THEIRS = "#2b6cb0", "#a0aec0"


def svg(
    figures_by_key: Mapping[tuple[Case, str], Figures],
    contenders: Sequence[Contender],
    cases: Iterable[Case],
    ours: frozenset[str],
) -> str:
    """The chart. `ours` are the contenders that are drawn in colour."""
    most = max((each.per_cpu_second for each in figures_by_key.values()), default=1)
    body, y = [], _TOP
    for case in cases:
        ran = [each for each in contenders if (case, each.name) in figures_by_key]
        if not ran:
            continue
        body.append(_text(16, y, str(case), weight="bold"))
        y += 12
        for contender in ran:
            figures = figures_by_key[case, contender.name]
            body += _row(y, contender.label, figures, most, contender.name in ours)
            y += _ROW
        y += _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" font-family="sans-serif">'
    ground = f'<rect width="{_WIDTH}" height="{y}" fill="white"/>'
    title = _text(16, 22, "Posts per CPU-second (and ratio to boto3 with 32 threads)", size=15)
    return "\n".join([head, ground, title, *body, "</svg>", ""])


def _row(y: int, label: str, figures: Figures, most: float, ours: bool) -> Iterator[str]:
    length = max(1.0, _BAR * figures.per_cpu_second / most)
    ratio = "" if figures.ratio is None else f" ({figures.ratio:.1f}×)"
    yield _text(_LEFT - 8, y + 16, label, anchor="end")
    yield (
        f'<rect x="{_LEFT}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 6}" '
        f'fill="{_OURS if ours else _THEIRS}"/>'
    )
    yield _text(int(_LEFT + length + 6), y + 16, f"{figures.per_cpu_second:,.0f}{ratio}")


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 12) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
