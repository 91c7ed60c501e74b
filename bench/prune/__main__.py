"""`connections prune` of 1,000 and of 100,000 rows: time, processor, memory. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.posts import running, tools
from bench.posts.keeping import free_ports, kept
from bench.posts.model import Sample
from bench.posts.table import line
from bench.posts.tools import Missing

ROWS = (1_000, 100_000)
RATE = 8_000
"""Questions a second: what the settings leave of API Gateway's 10,000 by default."""
UNBOUND = 1_000_000
"""More than anybody can ask."""
HEAD = ("rows", "at most", "time", "rows/s", "CPU-s", "peak memory")


@contextmanager
def aws() -> Iterator[str]:
    """The URL of the stub, on its own cores."""
    (port,) = free_ports(1)
    environ = {**os.environ, "PYTHONPATH": str(tools.BENCH.parent)}
    command = [sys.executable, "-m", "bench.prune.stub", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="nwchat-bench-") as folder,
        kept(command, environ, Path(folder) / "said.txt", [port]),
    ):
        yield f"http://127.0.0.1:{port}"


def run(url: str, rows: int, rate: int) -> Sample:
    """One prune. SystemExit when a row is not accounted for."""
    command = [sys.executable, "-m", "bench.prune.contender", url, str(rows), str(rate)]
    return Sample.of(json.loads(running.start(command, Path(os.devnull)).splitlines()[-1]))


def table(found: dict[tuple[int, int], list[Sample]]) -> Iterator[str]:
    """A line for each number of rows and rate, medians."""
    yield line(HEAD)
    yield line(["---:"] * len(HEAD))
    for (rows, rate), samples in sorted(found.items()):
        yield line(
            [
                f"{rows:,}",
                f"{rate:,}/s" if rate != UNBOUND else "–",
                f"{median(each.seconds for each in samples):.2f} s",
                f"{median(each.rate for each in samples):,.0f}",
                f"{median(each.cpu_seconds for each in samples):.2f}",
                f"{median(each.peak_kb for each in samples) / 1024:.0f} MB",
            ]
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.prune", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything runs; medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="1 round of 20 and 1,000 rows: that it works")
    asked = parser.parse_args(argv)
    sizes = (20, 1_000) if asked.quick else ROWS
    found: dict[tuple[int, int], list[Sample]] = {}
    try:
        with aws() as url:
            for number in range(asked.rounds or (1 if asked.quick else 3)):
                for rows, rate in ((rows, rate) for rows in sizes for rate in (RATE, UNBOUND)):
                    sample = run(url, rows, rate)
                    found.setdefault((rows, rate), []).append(sample)
                    sys.stderr.write(f"round {number + 1}, {rows:,} rows: {sample.seconds:.2f} s\n")
    except Missing as missing:
        sys.stderr.write(f"error: there is no {missing}\n")
        return 1
    sys.stdout.write("### `connections prune`, a tenth of the sockets gone\n\n")
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
