"""The order of runs, and the arithmetic of samples: medians, ratios, goals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.posts.model import Case, Contender, Results, Sample


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one contender in one case. `cpu_per_1000` is seconds of CPU time for 1,000 posts.

    `ratio` compares posts per second of CPU time with the baseline of the same round. It is the median over
    the rounds, and None without a baseline. `lost` counts the posts of all rounds that were not delivered.
    """

    rate: float
    cpu_per_1000: float
    per_cpu_second: float
    peak_mb: float
    ratio: float | None
    lost: int


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal of a contender in a case: a ratio to the baseline's posts per CPU second, or posts/s."""

    case: Case
    name: str
    min_ratio: float | None = None
    min_rate: float | None = None

    def value(self, figures: Figures) -> float | None:
        return figures.ratio if self.min_ratio is not None else figures.rate

    def is_reached(self, figures: Figures) -> bool | None:
        """Whether the goal is reached; None without a baseline."""
        value, wanted = self.value(figures), self.min_ratio if self.min_ratio is not None else self.min_rate
        return None if value is None or wanted is None else value >= wanted


GOALS = (
    Goal(Case(True, 0), "cli", min_ratio=12),
    Goal(Case(True, 0), "function", min_ratio=8),
    Goal(Case(False, 0), "cli", min_ratio=20),
    Goal(Case(False, 0), "function", min_ratio=10),
    Goal(Case(False, 20), "cli", min_rate=10_000),
    Goal(Case(True, 20), "cli", min_rate=10_000),
)


def figures(samples: Sequence[Sample], baseline: Sequence[Sample]) -> Figures:
    """The figures of samples of the same rounds, in their order. `baseline` may be empty."""
    ratios = [
        own.per_cpu_second / other.per_cpu_second for own, other in zip(samples, baseline, strict=False)
    ]
    return Figures(
        rate=median(each.rate for each in samples),
        cpu_per_1000=median(1000 / each.per_cpu_second for each in samples),
        per_cpu_second=median(each.per_cpu_second for each in samples),
        peak_mb=median(each.peak_kb / 1024 for each in samples),
        ratio=median(ratios) if ratios else None,
        lost=sum(each.posts - each.delivered for each in samples),
    )


def all_figures(results: Results, baseline: str) -> dict[tuple[Case, str], Figures]:
    """The figures of every contender in every case in which it ran."""
    return {
        (case, name): figures(samples, results.samples.get((case, baseline), ()))
        for (case, name), samples in results.samples.items()
    }


def run_order(
    rounds: int, cases: Sequence[Case], contenders: Sequence[Contender]
) -> Iterator[tuple[int, Case, Contender | None]]:
    """The order of runs: in each round each case, in each case wrk (None) and each contender once.

    Each round starts with another contender, so that none always runs after the same one.
    """
    for number in range(rounds):
        first = number % max(1, len(contenders))
        for case in cases:
            yield number, case, None
            for contender in (*contenders[first:], *contenders[:first]):
                yield number, case, contender


def measure(
    results: Results,
    order: Iterator[tuple[int, Case, Contender | None]],
    run: Callable[[Case, Contender], Sample],
    ceiling: Callable[[Case], float | None],
    log: Callable[[str], None],
) -> None:
    """Runs everything in that order and adds the samples to `results`."""
    for number, case, contender in order:
        if contender is None:
            if (rate := ceiling(case)) is not None:
                results.ceilings.setdefault(case, []).append(rate)
                log(f"round {number + 1}, {case}: the stub can do {rate:,.0f} posts/s")
            continue
        sample = run(case, contender)
        results.add(case, contender.name, sample)
        log(
            f"round {number + 1}, {case}: {contender.label}: {sample.rate:,.0f} posts/s, "
            f"{1000 / sample.per_cpu_second:.3f} CPU-s per 1,000"
        )
