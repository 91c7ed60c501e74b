"""Identifies processes of this machine, so that a lock of a dead process is recognised."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


def host() -> str:
    """This machine's name."""
    return socket.gethostname()


def this_process() -> str:
    """An id of this process, unique across machines and time: `machine/pid/start`."""
    pid = os.getpid()
    try:
        return f"{_machine()}/{pid}/{_start_time(pid)}"
    except OSError:
        return f"{_machine()}/{pid}/"


def is_dead(process: str) -> bool:
    """Whether `process` (of `this_process`) ran on this machine and has ended; False if unknown."""
    machine, pid, started = [*process.split("/"), "", ""][:3]
    if machine != _machine() or not pid.isdigit() or not _BOOT.exists():
        return False
    try:
        now = _start_time(int(pid))
    except OSError:
        # There is no such process, or /proc hides it.
        return not _exists(int(pid))
    # The pid may have been reused.
    return now != started


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _machine() -> str:
    """The machine's boot and the container: a pid is unique within them."""
    try:
        return f"{_BOOT.read_text().strip()}:{_PIDS.readlink()}"
    except OSError:
        return host().replace("/", "-")


def _start_time(pid: int) -> str:
    """A process's start time, in ticks since boot; "" for a dead one. Raises OSError if there is none."""
    # The name in parentheses may contain anything.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if words[0] in ("Z", "X") else words[19]
