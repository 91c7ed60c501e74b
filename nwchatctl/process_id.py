"""This machine and its processes: whether one that held a lock is still alive."""

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
    """What tells this process from every other, on any machine and at any time: `machine/pid/start`."""
    pid = os.getpid()
    try:
        return f"{_machine()}/{pid}/{_start_time(pid)}"
    except OSError:
        return f"{_machine()}/{pid}/"


def is_dead(process: str) -> bool:
    """Whether `process` (of `this_process`) ran on this machine and is no more; False where nobody knows."""
    machine, pid, started = [*process.split("/"), "", ""][:3]
    if machine != _machine() or not pid.isdigit() or not _BOOT.exists():
        return False
    try:
        now = _start_time(int(pid))
    except OSError:
        # There is none of that number, or /proc does not show those of others.
        return not _exists(int(pid))
    # The number may have been given to another process since.
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
    """The machine since it was started, and the container: process numbers mean something within."""
    try:
        return f"{_BOOT.read_text().strip()}:{_PIDS.readlink()}"
    except OSError:
        return host().replace("/", "-")


def _start_time(pid: int) -> str:
    """When a process was started, in ticks since boot; "" for one that is dead. Raises OSError for none."""
    # The name, in parentheses, may hold anything.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if words[0] in ("Z", "X") else words[19]
