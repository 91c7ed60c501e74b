"""`make bench-fanout`: time and cost of a message to a large room by segment size. See bench/README.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.fanout.simulation import FanoutParameters, seconds_without_fanout, simulate
from nwchat.large_rooms.segments import segment_count

ROOMS = (100_000, 1_000_000)
SIZES = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 250_000, 1_000_000)
SMALL_ROOMS = (50, 100, 250, 500, 1_000, 2_500, 5_000)
MESSAGE_MB = 256

# us-east-1, November 2026, in dollars; arm64.
GB_SECOND = 0.0000133334
INVOCATION = 0.20 / 1e6
POST = 1.00 / 1e6
PAGE = 256 * 0.125 / 1e6
"""A consistent read of 1 MB is 256 read request units."""


def segment_size_table(parameters: FanoutParameters) -> Iterator[str]:
    """One line per room and segment size."""
    yield _row(
        *("connections", "segment size", "segments", "half have it", "all have it", "longest run"),
        *("429s", "Lambda", "reading", "posts", "copies if one is tried again"),
    )
    yield _row("---:", *["---:"] * 10)
    for rows in ROOMS:
        for size in SIZES:
            if size > rows:
                continue
            segments = segment_count(rows, size)
            result = simulate(parameters, rows, segments)
            gigabytes = parameters.memory_mb / 1024
            cost = result.function_seconds * gigabytes * GB_SECOND + result.invocations * INVOCATION
            yield _row(
                *(f"{rows:,}", f"{size:,}", str(segments)),
                *(
                    f"{result.half_seconds:.1f} s",
                    f"{result.last_seconds:.1f} s",
                    f"{result.longest_run:.0f} s",
                ),
                *(f"{result.throttled:,}", f"${cost:.4f}", f"${result.pages * PAGE:.4f}"),
                *(f"${rows * POST:.2f}", f"{rows // segments:,}"),
            )


def threshold_table(parameters: FanoutParameters) -> Iterator[str]:
    """One line per small room: posted by `message` itself, or by `fanout`."""
    yield _row("connections", "by message itself", "by fanout", "by fanout, warm")
    yield _row(*["---:"] * 4)
    message = replace(parameters, memory_mb=MESSAGE_MB)
    for rows in SMALL_ROOMS:
        segments = segment_count(rows, SIZES[-1])
        cold, warm = (
            simulate(each, rows, segments).last_seconds
            for each in (parameters, replace(parameters, cold_seconds=0))
        )
        yield _row(
            f"{rows:,}", f"{seconds_without_fanout(message, rows):.2f} s", f"{cold:.2f} s", f"{warm:.2f} s"
        )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.fanout", description=__doc__)
    parser.add_argument(
        "--posts",
        type=float,
        default=FanoutParameters.posts_per_core,
        help="posts a second of a function of one core",
    )
    parser.add_argument(
        "--rate", type=float, default=FanoutParameters.rate, help="posts a second of all together"
    )
    parser.add_argument("--memory-mb", type=int, default=FanoutParameters.memory_mb)
    options = parser.parse_args(argv)
    parameters = FanoutParameters(
        posts_per_core=options.posts, rate=options.rate, memory_mb=options.memory_mb
    )
    for line in (*segment_size_table(parameters), "", *threshold_table(parameters)):
        print(line)  # noqa: T201 - the tables are its output
    return 0


if __name__ == "__main__":
    sys.exit(main())
