"""The third part of `make bench`: pruning connections and exporting messages. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.message import dynamodb
from bench.posts import contender_process, gateway_stub
from bench.posts.gateway_stub import Stub
from bench.posts.model import Case, Sample
from bench.posts.table import line
from bench.posts.tools import Missing

CASE = Case(tls=True, latency_ms=0)
ROWS = (1_000, 100_000)
KINDS = ("prune", "export")
HEAD = ("", "rows", "time", "rows/s", "CPU-s", "peak memory")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(kind: str, rows: int, made: Stub, tables: str) -> Sample:
    """One run. SystemExit when not all rows were dealt with as they are."""
    command = [sys.executable, "-m", "bench.rows.contender", kind, made.partly_gone(CASE), str(rows)]
    said = contender_process.start(command, made.certificate, {"AWS_ENDPOINT_URL_DYNAMODB": tables})
    sample = Sample.of(json.loads(said.splitlines()[-1]))
    if sample.delivered != rows:
        raise SystemExit(f"{kind}: {sample.delivered} of {rows} rows")
    return sample


def table(found: Mapping[tuple[str, int], Sequence[Sample]]) -> Iterator[str]:
    """A line for each command and number of rows; medians."""
    yield line(HEAD)
    yield line(["---", *["---:"] * (len(HEAD) - 1)])
    for (kind, rows), samples in found.items():
        yield line(
            [
                kind,
                f"{rows:,}",
                f"{median(each.seconds for each in samples):.2f} s",
                f"{median(each.rate for each in samples):,.0f}",
                f"{median(each.cpu_seconds for each in samples):.2f}",
                f"{median(each.peak_kb for each in samples) / 1024:.0f} MB",
            ]
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rows", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="1 round of 200 rows: that it works")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    asked = parser.parse_args(argv)
    found: dict[tuple[str, int], list[Sample]] = {}
    try:
        with gateway_stub.running(say, fallback=asked.fallback) as made, dynamodb.running() as tables:
            for number in range(asked.rounds or (1 if asked.quick else 3)):
                for kind in KINDS:
                    for rows in (200,) if asked.quick else ROWS:
                        sample = run(kind, rows, made, tables)
                        found.setdefault((kind, rows), []).append(sample)
                        say(f"round {number + 1}, {kind} of {rows:,}: {sample.seconds:.2f} s")
    except Missing as missing:
        say(f"error: there is no {missing}")
        return 1
    sys.stdout.write(f"### Pruning connections (a quarter is gone) and exporting messages, {CASE}\n\n")
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
