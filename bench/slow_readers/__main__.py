"""The fourth part of `make bench`: a message to a room of which a part does not read. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.posts import contender_process, gateway_stub
from bench.posts.gateway_stub import GatewayStub
from bench.posts.model import Case
from bench.posts.table import markdown_row
from bench.posts.tools import MissingProgram

CASE = Case(tls=True, latency_ms=0)
CONTENDERS = ("cli", "function")
ROOMS = (250, 25_000)
SHARES = (0.0, 0.01, 0.1)
HEADER = ("", "connections", "not reading", "others served", "ratio", "done", "CPU-s")


@dataclass(frozen=True, slots=True)
class Row:
    """What one line of the table is about."""

    contender: str
    recipients: int
    share: float


def log(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(row: Row, stub: GatewayStub) -> dict[str, float]:
    """One run. Raises SystemExit when the others were not all served, or the slow ones not all closed."""
    slow = round(row.recipients * row.share)
    command = [sys.executable, "-m", "bench.slow_readers.contender", row.contender]
    command += [stub.partly_slow_url(CASE), str(row.recipients), str(slow)]
    output = contender_process.run_process(command, stub.certificate)
    sample: dict[str, float] = json.loads(output.splitlines()[-1])
    if (sample["delivered"], sample["disconnected"]) != (row.recipients - slow, slow):
        raise SystemExit(f"{row}: {sample}")
    return sample


def table(samples: Mapping[Row, Sequence[Mapping[str, float]]]) -> Iterator[str]:
    """One line for each contender, room and share, with medians."""
    yield markdown_row(HEADER)
    yield markdown_row(["---", *["---:"] * (len(HEADER) - 1)])
    for row, found in samples.items():
        undisturbed = samples[Row(row.contender, row.recipients, SHARES[0])]
        ratios = [one["served"] / base["served"] for one, base in zip(found, undisturbed, strict=True)]
        yield markdown_row(
            [
                row.contender,
                f"{row.recipients:,}",
                f"{row.share:.0%}",
                f"{median(each['served'] for each in found):.2f} s",
                f"{median(ratios):.2f}×",
                f"{median(each['done'] for each in found):.2f} s",
                f"{median(each['cpu_seconds'] for each in found):.2f}",
            ]
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slow_readers", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (2)")
    parser.add_argument("--quick", action="store_true", help="1 round of 200 connections: that it works")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    options = parser.parse_args(argv)
    rooms = (200,) if options.quick else ROOMS
    rows = [Row(name, size, share) for name in CONTENDERS for size in rooms for share in SHARES]
    samples: dict[Row, list[dict[str, float]]] = {row: [] for row in rows}
    try:
        with gateway_stub.run_stub(log, fallback=options.fallback, cases=(Case(False, 0), CASE)) as stub:
            for number in range(options.rounds or (1 if options.quick else 2)):
                for row in rows:
                    samples[row].append(run(row, stub))
                    log(f"round {number + 1}, {row}: {samples[row][-1]['served']:.2f} s")
    except MissingProgram as missing:
        log(f"error: there is no {missing}")
        return 1
    sys.stdout.write(f"### A message to a room of which a part does not read, {CASE}\n\n")
    sys.stdout.write("\n".join(table(samples)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
