"""The second part of `make bench`: one message through the `message` function. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bench.message import dynamodb
from bench.message.table import table
from bench.posts import contender_process, gateway_stub
from bench.posts.gateway_stub import Stub
from bench.posts.model import Case, Sample
from bench.posts.tools import Missing

CASE = Case(tls=True, latency_ms=20)
"""How API Gateway is reached from a function."""

ROWS = (100, 1_000, 10_000)
KINDS = ("before", "now")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(kind: str, rows: int, made: Stub, tables: str) -> Sample:
    """One message to so many. SystemExit when the stub had fewer posts than there are recipients."""
    command = [sys.executable, "-m", "bench.message.contender", kind, made.url(CASE), str(rows)]
    before = made.served()
    said = contender_process.start(command, made.certificate, {"AWS_ENDPOINT_URL_DYNAMODB": tables})
    sample = Sample.of(json.loads(said.splitlines()[-1]))
    # The message before it, which is not timed, went to as many.
    if (served := made.served() - before - 1) < 2 * sample.posts:
        raise SystemExit(f"{kind}, {rows} rows: the stub had {served} posts, not {2 * sample.posts}")
    return sample


def measure(
    rounds: int, sizes: Sequence[int], made: Stub, tables: str
) -> dict[tuple[int, str], list[Sample]]:
    """Both ways in turn, each size in each round."""
    found: dict[tuple[int, str], list[Sample]] = {}
    for number in range(rounds):
        for rows in sizes:
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                sample = run(kind, rows, made, tables)
                found.setdefault((rows, kind), []).append(sample)
                say(f"round {number + 1}, {rows:,} rows, {kind}: {sample.seconds:.2f} s")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.message", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="1 round of 20 and 100 rows: that it works")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    asked = parser.parse_args(argv)
    sizes = (20, 100) if asked.quick else ROWS
    try:
        with gateway_stub.running(say, fallback=asked.fallback) as made, dynamodb.running() as tables:
            found = measure(asked.rounds or (1 if asked.quick else 3), sizes, made, tables)
    except Missing as missing:
        say(f"error: there is no {missing}")
        return 1
    sys.stdout.write(f"### One message through the `message` function, {CASE}\n\n")
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
