"""The second part of `make bench`: one message through the `message` function. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bench.message import dynamodb
from bench.message.table import table
from bench.posts import contender_process, gateway_stub
from bench.posts.gateway_stub import GatewayStub
from bench.posts.model import Case, Sample
from bench.posts.tools import MissingProgram

CASE = Case(tls=True, latency_ms=20)
"""How a function reaches API Gateway."""

ROWS = (100, 1_000, 10_000)
KINDS = ("before", "now")


def log(text: str) -> None:
    sys.stderr.write(text + "\n")


def run(kind: str, rows: int, stub: GatewayStub, tables_url: str) -> Sample:
    """Measures one message. Raises SystemExit when the stub received fewer posts than recipients."""
    command = [sys.executable, "-m", "bench.message.contender", kind, stub.url(CASE), str(rows)]
    before = stub.request_count()
    output = contender_process.run_process(
        command, stub.certificate, {"AWS_ENDPOINT_URL_DYNAMODB": tables_url}
    )
    sample = Sample.of(json.loads(output.splitlines()[-1]))
    # The warm-up message, which is not timed, has the same recipients.
    if (served := stub.request_count() - before - 1) < 2 * sample.posts:
        raise SystemExit(f"{kind}, {rows} rows: the stub had {served} posts, not {2 * sample.posts}")
    return sample


def measure(
    rounds: int, sizes: Sequence[int], stub: GatewayStub, tables_url: str
) -> dict[tuple[int, str], list[Sample]]:
    """Measures both variants alternately, each size in each round."""
    samples_by_key: dict[tuple[int, str], list[Sample]] = {}
    for number in range(rounds):
        for rows in sizes:
            for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                sample = run(kind, rows, stub, tables_url)
                samples_by_key.setdefault((rows, kind), []).append(sample)
                log(f"round {number + 1}, {rows:,} rows, {kind}: {sample.seconds:.2f} s")
    return samples_by_key


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.message", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="1 round of 20 and 100 rows: that it works")
    parser.add_argument("--fallback", action="store_true", help="the stub in Python, even with nginx here")
    options = parser.parse_args(argv)
    sizes = (20, 100) if options.quick else ROWS
    try:
        with (
            gateway_stub.run_stub(log, fallback=options.fallback) as stub,
            dynamodb.run_dynamodb() as tables_url,
        ):
            samples_by_key = measure(options.rounds or (1 if options.quick else 3), sizes, stub, tables_url)
    except MissingProgram as missing:
        log(f"error: there is no {missing}")
        return 1
    sys.stdout.write(f"### One message through the `message` function, {CASE}\n\n")
    sys.stdout.write("\n".join(table(samples_by_key)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
