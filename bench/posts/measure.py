"""Who runs when, and what the samples come to: medians, ratios, aims. The arithmetic is pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.posts.model import Case, Contender, Results, Sample


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one contender in one case. `cpu` is seconds of processor for 1,000 posts.

    `ratio` is posts per second of processor against the baseline's in the same round, the median of it over
    the rounds; None without a baseline. `lost` are the posts of all rounds that were not delivered.
    """

    rate: float
    cpu: float
    per_cpu: float
    peak_mb: float
    ratio: float | None
    lost: int


@dataclass(frozen=True, slots=True)
class Aim:
    """What a contender is to reach in a case: `times` the baseline's posts per CPU-second, or a `rate`."""

    case: Case
    name: str
    times: float | None = None
    rate: float | None = None

    def found(self, figures: Figures) -> float | None:
        return figures.ratio if self.times is not None else figures.rate

    def reached(self, figures: Figures) -> bool | None:
        """None when it can't be told, for want of a baseline."""
        found, wanted = self.found(figures), self.times if self.times is not None else self.rate
        return None if found is None or wanted is None else found >= wanted


AIMS = (
    Aim(Case(True, 0), "cli", times=12),
    Aim(Case(True, 0), "function", times=8),
    Aim(Case(False, 0), "cli", times=20),
    Aim(Case(False, 0), "function", times=10),
    Aim(Case(False, 20), "cli", rate=10_000),
    Aim(Case(True, 20), "cli", rate=10_000),
)


def figures(samples: Sequence[Sample], baseline: Sequence[Sample]) -> Figures:
    """Of the same rounds, in their order; `baseline` may be empty."""
    ratios = [own.per_cpu / other.per_cpu for own, other in zip(samples, baseline, strict=False)]
    return Figures(
        rate=median(each.rate for each in samples),
        cpu=median(1000 / each.per_cpu for each in samples),
        per_cpu=median(each.per_cpu for each in samples),
        peak_mb=median(each.peak_kb / 1024 for each in samples),
        ratio=median(ratios) if ratios else None,
        lost=sum(each.posts - each.delivered for each in samples),
    )


def all_figures(results: Results, baseline: str) -> dict[tuple[Case, str], Figures]:
    """Of every contender in every case in which it ran."""
    return {
        (case, name): figures(samples, results.samples.get((case, baseline), ()))
        for (case, name), samples in results.samples.items()
    }


def interleaved(
    rounds: int, cases: Sequence[Case], contenders: Sequence[Contender]
) -> Iterator[tuple[int, Case, Contender | None]]:
    """The order of runs: in each round each case, in each case wrk (None) and each contender once.

    Each round begins with another contender, so that none always runs after the same one.
    """
    for number in range(rounds):
        turn = number % max(1, len(contenders))
        for case in cases:
            yield number, case, None
            for contender in (*contenders[turn:], *contenders[:turn]):
                yield number, case, contender


def measure(
    results: Results,
    order: Iterator[tuple[int, Case, Contender | None]],
    run: Callable[[Case, Contender], Sample],
    ceiling: Callable[[Case], float | None],
    say: Callable[[str], None],
) -> None:
    """Runs everything in that order, into `results`."""
    for number, case, contender in order:
        if contender is None:
            if (rate := ceiling(case)) is not None:
                results.ceilings.setdefault(case, []).append(rate)
                say(f"round {number + 1}, {case}: the stub can do {rate:,.0f} posts/s")
            continue
        sample = run(case, contender)
        results.add(case, contender.name, sample)
        say(
            f"round {number + 1}, {case}: {contender.label}: {sample.rate:,.0f} posts/s, "
            f"{1000 / sample.per_cpu:.3f} CPU-s per 1,000"
        )
