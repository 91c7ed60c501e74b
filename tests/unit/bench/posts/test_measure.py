"""The arithmetic of `make bench`: medians, ratios of rounds, aims, the order of runs."""

from __future__ import annotations

import pytest

from bench.posts.measure import Goal, all_figures, figures, measure, run_order
from bench.posts.model import Case, Contender, LoadSize, Results, Sample

PLAIN, SLOW = Case(False, 0), Case(True, 20)


def sample(posts: int, seconds: float, cpu: float, peak_mb: float = 50, lost: int = 0) -> Sample:
    return Sample(posts, seconds, cpu, int(peak_mb * 1024), posts - lost)


def contender(name: str) -> Contender:
    return Contender(name, f"the {name}", LoadSize(1, 32), LoadSize(0.5, 500))


def test_medians_are_of_the_rounds_and_the_ratio_is_the_median_of_each_rounds_own() -> None:
    own = [sample(1000, 1.0, 0.5, 40), sample(1000, 2.0, 1.0, 90, lost=3), sample(1000, 4.0, 0.1, 60, lost=1)]
    # In the second round the machine was slow for both.
    other = [sample(100, 1.0, 0.5), sample(100, 1.0, 1.0), sample(100, 1.0, 0.4)]
    found = figures(own, other)
    assert found.rate == 500
    assert found.cpu_per_1000 == pytest.approx(0.5)
    assert found.per_cpu_second == 2000
    assert found.peak_mb == 60
    # 2000 / 200, 1000 / 100 and 10000 / 250.
    assert found.ratio == pytest.approx(10)
    assert found.lost == 4


def test_without_a_baseline_there_is_no_ratio() -> None:
    assert figures([sample(1, 1, 1)], ()).ratio is None
    results = Results("a stub")
    results.add(PLAIN, "cli", sample(10, 1, 1))
    results.add(PLAIN, "threads", sample(5, 1, 1))
    results.add(SLOW, "cli", sample(10, 1, 1))
    found = all_figures(results, "threads")
    assert found[PLAIN, "cli"].ratio == 2
    assert found[PLAIN, "threads"].ratio == 1
    assert found[SLOW, "cli"].ratio is None


def test_an_aim_is_reached_by_its_own_measure() -> None:
    found = figures([sample(1000, 1.0, 0.1)], [sample(1000, 1.0, 1.0)])
    assert Goal(PLAIN, "cli", min_ratio=10).is_reached(found) is True
    assert Goal(PLAIN, "cli", min_ratio=10.5).is_reached(found) is False
    assert Goal(PLAIN, "cli", min_rate=1000).is_reached(found) is True
    assert Goal(PLAIN, "cli", min_rate=1001).is_reached(found) is False
    alone = figures([sample(1000, 1.0, 0.1)], ())
    assert Goal(PLAIN, "cli", min_ratio=1).is_reached(alone) is None


def test_every_round_runs_everything_and_begins_with_another_contender() -> None:
    order = list(run_order(3, (PLAIN, SLOW), (contender("a"), contender("b"))))
    spelled = [(number, case, each.name if each else "wrk") for number, case, each in order]
    assert spelled[:6] == [
        (0, PLAIN, "wrk"),
        (0, PLAIN, "a"),
        (0, PLAIN, "b"),
        (0, SLOW, "wrk"),
        (0, SLOW, "a"),
        (0, SLOW, "b"),
    ]
    assert [name for number, _, name in spelled if number == 1] == ["wrk", "b", "a"] * 2
    assert [name for number, _, name in spelled if number == 2] == ["wrk", "a", "b"] * 2


def test_measuring_keeps_each_rounds_samples_in_order_and_ceilings_where_there_are_some() -> None:
    results, lines = Results("a stub"), list[str]()
    rates = iter([1.0, 2.0, 3.0, 4.0])
    measure(
        results,
        run_order(2, (PLAIN, SLOW), (contender("a"),)),
        lambda case, each: sample(100, next(rates), 1.0),
        lambda case: 50_000.0 if case == PLAIN else None,
        lines.append,
    )
    assert [each.seconds for each in results.samples[PLAIN, "a"]] == [1.0, 3.0]
    assert [each.seconds for each in results.samples[SLOW, "a"]] == [2.0, 4.0]
    assert results.ceilings == {PLAIN: [50_000.0, 50_000.0]}
    assert lines[1] == "round 1, plain HTTP, 0 ms: the a: 100 posts/s, 10.000 CPU-s per 1,000"


def test_a_contenders_line_is_read_whole_or_not_at_all() -> None:
    line = {"posts": 3, "seconds": 1, "cpu_seconds": 0.5, "peak_kb": 1024, "delivered": 3}
    assert Sample.of(line) == Sample(3, 1.0, 0.5, 1024, 3)
    del line["delivered"]
    with pytest.raises(KeyError):
        Sample.of(line)
