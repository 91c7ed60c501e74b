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
    return f"{_machine()}/{pid}/{_started(pid) or ''}"


def is_dead(process: str) -> bool:
    """Whether `process` (of `this_process`) ran on this machine and is no more; False where nobody knows."""
    machine, pid, started = [*process.split("/"), "", ""][:3]
    if machine != _machine() or not pid.isdigit():
        return False
    if _BOOT.exists():
        # Its number may have been given to another process since.
        return _started(int(pid)) != started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """The machine since it was started, and the container: process numbers mean something within."""
    try:
        return f"{_BOOT.read_text().strip()}:{_PIDS.readlink()}"
    except OSError:
        return host().replace("/", "-")


def _started(pid: int) -> str | None:
    """When a process was started, in ticks since boot; None where there is none, or one that is dead."""
    try:
        # The name, in parentheses, may hold anything.
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in ("Z", "X") else words[19]
