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
from bench.posts.gateway_stub import GatewayStub
from bench.posts.measure import GOALS, all_figures, measure, run_order
from bench.posts.model import CASES, Case, Contender, Results, Sample
from bench.posts.tools import BENCH, MissingProgram

OWN_CONTENDERS = frozenset({"cli", "function"})


def log(text: str) -> None:
    sys.stderr.write(text + "\n")


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [each.name for each in contender_process.CONTENDERS]
    parser = argparse.ArgumentParser(prog="python -m bench.posts", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (5)")
    parser.add_argument("--posts", type=int, help="of the fast contenders; slow ones do a part (40,000)")
    parser.add_argument("--only", action="append", choices=names, help="this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="1 round of 1,000: that it works, no more")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    parser.add_argument("--out", type=Path, default=BENCH / "out", help="where chart and samples go")
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.posts = options.posts or (1000 if options.quick else 40_000)
    return options


def ceiling_function(stub: GatewayStub) -> Callable[[Case], float | None]:
    """A function that measures the stub with wrk; it returns None where wrk is missing."""
    try:
        wrk = tools.wrk(log)
    except MissingProgram as missing:
        log(f"the stub's ceiling is not measured: {missing}")
        return lambda case: None
    return lambda case: contender_process.stub_ceiling(case, stub, 500 if case.latency_ms else 32, wrk)


def save(folder: Path, results: Results, svg: str) -> None:
    """Writes the samples in the order of the runs, and the chart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posts.svg").write_text(svg)
    runs = [
        {"case": str(case), "contender": name, "samples": [asdict(each) for each in samples]}
        for (case, name), samples in results.samples.items()
    ]
    document = {
        "stub": results.stub,
        "load": results.load,
        "runs": runs,
        "ceilings": {str(case): each for case, each in results.ceilings.items()},
    }
    (folder / "posts.json").write_text(json.dumps(document, indent=1) + "\n")


def render(results: Results, wanted: Sequence[Contender], summary: str) -> str:
    """The text for stdout: tables, goals, chart."""
    figures = all_figures(results, contender_process.BASELINE)
    labels = {each.name: each.label for each in wanted}
    lines = [
        summary,
        "",
        *table.case_tables(results, figures, wanted),
        *table.goal_table(GOALS, figures, labels),
        "```",
        *table.chart(figures, wanted, CASES),
        "```",
    ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    options, load = parse_options(argv), os.getloadavg()[0]
    wanted = [each for each in contender_process.CONTENDERS if not options.only or each.name in options.only]
    try:
        with gateway_stub.run_stub(log, fallback=options.fallback) as stub:
            log(f"the stub is {stub.description}")
            commands = contender_process.commands(log, wanted)
            wanted = [each for each in wanted if each.name in commands]
            results = Results(stub.description, load=load)

            def run(case: Case, contender: Contender) -> Sample:
                return contender_process.run_contender(
                    commands[contender.name], contender, case, stub, options.posts
                )

            # The ceiling of the stub in Python is useless: it is slower than the fast contenders.
            ceiling = (lambda case: None) if options.fallback else ceiling_function(stub)
            measure(results, run_order(options.rounds, CASES, wanted), run, ceiling, log)
    except MissingProgram as missing:
        log(f"error: there is no {missing}")
        return 1
    figures = all_figures(results, contender_process.BASELINE)
    save(options.out, results, chart.svg(figures, wanted, CASES, OWN_CONTENDERS))
    sys.stdout.write(render(results, wanted, table.summary_line(results, options.rounds, options.posts)))
    lost = sum(each.lost for each in figures.values())
    if lost:
        log(f"error: {lost} posts were not delivered, so this measures nothing")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
