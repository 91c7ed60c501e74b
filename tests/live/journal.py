"""What runs of `make live` have made: a local file of the operator's own, for a later run to remove it.

One JSON object per line: `{"run": …, "target": …, "at": …}` before a run creates anything, the same with
`"made"` before each resource, and with `"done": true` once everything of the run is removed. A run that was
killed has no such line. `target` is the Region and a hash of the account, never the account's id.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwchatctl import private_files
from nwchatctl.sandbox import file_lock

WAIT_SECONDS = 60.0
"""How long a run waits for the processes of an earlier one, which end soon after it."""

SAY_AFTER_SECONDS = 3.0

_MAX_BYTES = 4 << 20


class JournalBusy(Exception):
    """Another run with the same journal is in progress."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of this machine. `descriptor` holds its lock, also in the child processes that inherit it:
    whoever acquires the lock knows that no process of an earlier run is left."""

    path: Path
    target: str
    descriptor: int

    def note(self, run: str, **what: Any) -> None:
        """Writes one line, and has it on the disk before it returns. Raises OSError."""
        line = json.dumps({"run": run, "target": self.target, "at": int(time.time()), **what})
        with private_files.open_to_append(self.path) as file:
            # A run that was killed while it wrote may have left half a line.
            file.write(b"\n" + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def unfinished(self) -> list[str]:
        """The runs at this target that have not removed everything that they made."""
        return unfinished(_lines(self.path), self.target)


def target_name(region: str, account: str, endpoint: str = "") -> str:
    """Identifies an account and Region without the account's id."""
    digest = hashlib.sha256(f"{account}/{endpoint}".encode()).hexdigest()[:12]
    return f"{region}/{digest}"


def unfinished(lines: Iterator[dict[str, Any]], target: str) -> list[str]:
    """The runs at `target` without a line `done`. Pure.

    >>> unfinished(iter([{"run": "a", "target": "t"}, {"run": "a", "target": "t", "done": True}]), "t")
    []
    """
    found: dict[str, bool] = {}
    for line in lines:
        if line.get("target") == target and line.get("run"):
            found[str(line["run"])] = bool(line.get("done"))
    return [run for run, is_done in found.items() if not is_done]


@contextmanager
def opened(path: Path, target: str, say: Any) -> Iterator[Journal]:
    """The journal, for this process alone. Raises JournalBusy and OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    descriptor = file_lock.acquire(lock, timeout=SAY_AFTER_SECONDS)
    if descriptor is None:
        say("waiting for the processes of another run to end")
        descriptor = file_lock.acquire(lock, timeout=WAIT_SECONDS)
    if descriptor is None:
        raise JournalBusy(f"another run is in progress: it holds {lock}")
    try:
        yield Journal(path, target, descriptor)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = private_files.read_regular(path, _MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            # The last line of a run that was killed while it wrote.
            continue
        if isinstance(data, dict):
            yield data
