"""`make bench`: posts to connections, ours and others', against one stub. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.posts import chart, contender_process, gateway_stub, table, tools
from bench.posts.gateway_stub import Stub
from bench.posts.measure import AIMS, all_figures, interleaved, measure
from bench.posts.model import CASES, Case, Contender, Results, Sample
from bench.posts.tools import BENCH, Missing

OURS = frozenset({"cli", "function"})


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [each.name for each in contender_process.CONTENDERS]
    parser = argparse.ArgumentParser(prog="python -m bench.posts", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (5)")
    parser.add_argument("--posts", type=int, help="of the fast contenders; slow ones do a part (40,000)")
    parser.add_argument("--only", action="append", choices=names, help="this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="1 round of 1,000: that it works, no more")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    parser.add_argument("--out", type=Path, default=BENCH / "out", help="where chart and samples go")
    asked = parser.parse_args(argv)
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    asked.posts = asked.posts or (1000 if asked.quick else 40_000)
    return asked


def ceilings(made: Stub) -> Callable[[Case], float | None]:
    """wrk against the stub; None each time where there is no wrk."""
    try:
        wrk = tools.wrk(say)
    except Missing as missing:
        say(f"the stub's ceiling is not measured: {missing}")
        return lambda case: None
    return lambda case: contender_process.ceiling(case, made, 500 if case.latency_ms else 32, wrk)


def save(to: Path, results: Results, drawing: str) -> None:
    """The samples as they came, and the chart."""
    to.mkdir(parents=True, exist_ok=True)
    (to / "posts.svg").write_text(drawing)
    runs = [
        {"case": str(case), "contender": name, "samples": [asdict(each) for each in samples]}
        for (case, name), samples in results.samples.items()
    ]
    found = {
        "stub": results.stub,
        "load": results.load,
        "runs": runs,
        "ceilings": {str(case): each for case, each in results.ceilings.items()},
    }
    (to / "posts.json").write_text(json.dumps(found, indent=1) + "\n")


def show(results: Results, wanted: Sequence[Contender], about: str) -> str:
    """Everything for stdout: tables, aims, chart."""
    found = all_figures(results, contender_process.BASELINE)
    labels = {each.name: each.label for each in wanted}
    lines = [
        about,
        "",
        *table.tables(results, found, wanted),
        *table.aims(AIMS, found, labels),
        "```",
        *table.chart(found, wanted, CASES),
        "```",
    ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    asked, load = parse(argv), os.getloadavg()[0]
    wanted = [each for each in contender_process.CONTENDERS if not asked.only or each.name in asked.only]
    try:
        with gateway_stub.running(say, fallback=asked.fallback) as made:
            say(f"the stub is {made.what}")
            commands = contender_process.commands(say, wanted)
            wanted = [each for each in wanted if each.name in commands]
            results = Results(made.what, load=load)

            def run(case: Case, contender: Contender) -> Sample:
                return contender_process.run(commands[contender.name], contender, case, made, asked.posts)

            # The stub in Python has no ceiling worth knowing: it is in everybody's way.
            ceiling = (lambda case: None) if asked.fallback else ceilings(made)
            measure(results, interleaved(asked.rounds, CASES, wanted), run, ceiling, say)
    except Missing as missing:
        say(f"error: there is no {missing}")
        return 1
    found = all_figures(results, contender_process.BASELINE)
    save(asked.out, results, chart.svg(found, wanted, CASES, OURS))
    sys.stdout.write(show(results, wanted, table.about(results, asked.rounds, asked.posts)))
    lost = sum(each.lost for each in found.values())
    if lost:
        say(f"error: {lost} posts were not delivered, so this measures nothing")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
