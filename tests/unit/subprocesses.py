"""The program as a process of its own, with nothing of this machine's environment in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a run printed and its exit code."""

    code: int
    out: str
    err: str


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment whose home is `home`."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": str(home), "TERM": "xterm", "COLUMNS": "80", **(extra or {})}


def nwchatctl(folder: Path, *args: str, environ: Mapping[str, str] | None = None) -> Ran:
    """Runs `python -m nwchatctl` in `folder`, which is its home too, with no stdin."""
    done = subprocess.run(
        [sys.executable, "-m", "nwchatctl", *args],
        cwd=folder,
        env=environment(folder, environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
