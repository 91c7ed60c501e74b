"""The third part of `make bench`: pruning connections and exporting messages. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.message import dynamodb
from bench.posts import contender_process, gateway_stub
from bench.posts.gateway_stub import GatewayStub
from bench.posts.model import Case, Sample
from bench.posts.table import markdown_row
from bench.posts.tools import MissingProgram

CASE = Case(tls=True, latency_ms=0)
ROWS = (1_000, 100_000)
KINDS = ("prune", "export")
HEADER = ("", "rows", "time", "rows/s", "CPU-s", "peak memory")


def log(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(kind: str, rows: int, stub: GatewayStub, tables_url: str) -> Sample:
    """One run. Raises SystemExit when not all rows were processed correctly."""
    command = [sys.executable, "-m", "bench.rows.contender", kind, stub.partly_gone_url(CASE), str(rows)]
    output = contender_process.run_process(command, stub.certificate, {"AWS_ENDPOINT_URL": tables_url})
    sample = Sample.of(json.loads(output.splitlines()[-1]))
    if sample.delivered != rows:
        raise SystemExit(f"{kind}: {sample.delivered} of {rows} rows")
    return sample


def table(samples_by_key: Mapping[tuple[str, int], Sequence[Sample]]) -> Iterator[str]:
    """One line per command and number of rows, with medians."""
    yield markdown_row(HEADER)
    yield markdown_row(["---", *["---:"] * (len(HEADER) - 1)])
    for (kind, rows), samples in samples_by_key.items():
        yield markdown_row(
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
    options = parser.parse_args(argv)
    samples_by_key: dict[tuple[str, int], list[Sample]] = {}
    try:
        with (
            gateway_stub.run_stub(log, fallback=options.fallback) as stub,
            dynamodb.run_dynamodb() as tables_url,
        ):
            for number in range(options.rounds or (1 if options.quick else 3)):
                for kind in KINDS:
                    for rows in (200,) if options.quick else ROWS:
                        sample = run(kind, rows, stub, tables_url)
                        samples_by_key.setdefault((kind, rows), []).append(sample)
                        log(f"round {number + 1}, {kind} of {rows:,}: {sample.seconds:.2f} s")
    except MissingProgram as missing:
        log(f"error: there is no {missing}")
        return 1
    sys.stdout.write(f"### Pruning connections (a quarter is gone) and exporting messages, {CASE}\n\n")
    sys.stdout.write("\n".join(table(samples_by_key)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
