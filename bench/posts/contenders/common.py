"""Shared by all contenders in Python. Standard library only, because it also runs in other environments.

    python -m bench.posts.contenders.NAME URL POSTS AT_ONCE FRAME

posts `FRAME` to `POSTS` connections of the API at `URL`, at most `AT_ONCE` at a time, and prints one line of
JSON. First it posts to a few other connections, so that nothing is imported, resolved or compiled during the
measurement. Then it creates a new client; connecting, handshakes included, is part of the measurement.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

WARM_UP = 200


@dataclass(frozen=True, slots=True)
class PostTask:
    """What a contender posts. `url` is the URL of the stage, as `nwchatctl` and boto3 accept it."""

    url: str
    posts: int
    at_once: int
    frame: bytes


Send: TypeAlias = Callable[[Sequence[str]], int]
"""Posts to each of these connections and returns how many posts were delivered."""


def connection_ids(count: int, kind: str = "") -> list[str]:
    """Unique connection ids in API Gateway's format, `L0SM9cOFvHcCIhw=`: 11 bytes in base64."""
    digests = (hashlib.sha256(f"{kind}{number}".encode()).digest()[:11] for number in range(count))
    return [base64.urlsafe_b64encode(each).decode() for each in digests]


def main(prepare: Callable[[PostTask], Send]) -> None:
    """Measures the function that `prepare` returns."""
    url, posts, at_once, frame = sys.argv[1:]
    task = PostTask(url, int(posts), int(at_once), frame.encode())
    prepare(task)(connection_ids(min(WARM_UP, task.posts), "warm-up "))
    send, wanted = prepare(task), connection_ids(task.posts)
    gc.collect()
    started, cpu_before = time.perf_counter(), process_cpu_seconds()
    delivered = send(wanted)
    seconds, cpu_seconds = time.perf_counter() - started, process_cpu_seconds() - cpu_before
    report(posts=task.posts, seconds=seconds, cpu_seconds=cpu_seconds, delivered=delivered)


def report(*, posts: int, seconds: float, cpu_seconds: float, delivered: int) -> None:
    """Writes the line of JSON that the benchmark reads."""
    sample = {
        "posts": posts,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_kb": peak_kb(),
        "delivered": delivered,
    }
    sys.stdout.write(json.dumps(sample) + "\n")


def process_cpu_seconds() -> float:
    """User and system time (s) of this process with all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_kb() -> int:
    """The peak memory of this process in KB. On Linux `ru_maxrss` starts with the memory of its parent."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
    return int(status.split("VmHWM:")[1].split()[0])
