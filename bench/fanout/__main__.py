"""`make bench-fanout`: time and cost of a message to a large room by segment size. See bench/README.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.fanout.simulation import World, alone, simulate
from nwchat.large_rooms.segments import segment_count

ROOMS = (100_000, 1_000_000)
SIZES = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 250_000, 1_000_000)
SMALL = (50, 100, 250, 500, 1_000, 2_500, 5_000)
MESSAGE_MB = 256

# us-east-1, November 2026, in dollars; arm64.
GB_SECOND = 0.0000133334
INVOCATION = 0.20 / 1e6
POST = 1.00 / 1e6
PAGE = 128 * 0.125 / 1e6
"""1 MB read eventually consistent is 128 read request units."""


def rooms(world: World) -> Iterator[str]:
    """A line for each room and segment size."""
    yield _line(
        *("connections", "segment size", "segments", "half have it", "all have it", "longest run"),
        *("429s", "Lambda", "reading", "posts", "copies if one is tried again"),
    )
    yield _line("---:", *["---:"] * 10)
    for rows in ROOMS:
        for size in SIZES:
            if size > rows:
                continue
            segments = segment_count(rows, size)
            done = simulate(world, rows, segments)
            gigabytes = world.memory_mb / 1024
            cost = done.function_seconds * gigabytes * GB_SECOND + done.invocations * INVOCATION
            yield _line(
                f"{rows:,}", f"{size:,}", str(segments), f"{done.half:.1f} s", f"{done.last:.1f} s",
                f"{done.longest:.0f} s", f"{done.throttled:,}", f"${cost:.4f}", f"${done.pages * PAGE:.4f}",
                f"${rows * POST:.2f}", f"{rows // segments:,}",
            )  # fmt: skip


def thresholds(world: World) -> Iterator[str]:
    """A line for each room that may be a small one: by `message` itself, or handed over."""
    yield _line("connections", "by message itself", "by fanout", "by fanout, warm")
    yield _line(*["---:"] * 4)
    message = replace(world, memory_mb=MESSAGE_MB)
    for rows in SMALL:
        segments = segment_count(rows, SIZES[-1])
        cold, warm = (simulate(each, rows, segments).last for each in (world, replace(world, cold_seconds=0)))
        yield _line(f"{rows:,}", f"{alone(message, rows):.2f} s", f"{cold:.2f} s", f"{warm:.2f} s")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.fanout", description=__doc__)
    parser.add_argument(
        "--posts", type=float, default=World.posts_per_core, help="posts a second of a function of one core"
    )
    parser.add_argument("--rate", type=float, default=World.rate, help="posts a second of all together")
    parser.add_argument("--memory-mb", type=int, default=World.memory_mb)
    given = parser.parse_args(argv)
    world = World(posts_per_core=given.posts, rate=given.rate, memory_mb=given.memory_mb)
    for line in (*rooms(world), "", *thresholds(world)):
        print(line)  # noqa: T201 - the tables are its output
    return 0


if __name__ == "__main__":
    sys.exit(main())
