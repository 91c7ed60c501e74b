"""Runs a server process during a context, on separate cores. It ends with the process that started it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.posts import cores
from bench.posts.tools import MissingProgram

_START_TIMEOUT = 10.0
"""Seconds after which a server that does not listen has failed."""

_RUN_UNTIL_STDIN_ENDS = '"$@" & child=$!; cat >/dev/null; kill "$child" 2>/dev/null; wait "$child"'
"""Runs a command until stdin ends. That happens when the parent process ends, even when it is killed."""


@contextmanager
def run_server(
    command: Sequence[str], environ: Mapping[str, str], log_file: Path, ports: Sequence[int]
) -> Iterator[None]:
    """Runs a command that listens on these ports. Its output goes to `log_file`.

    Raises MissingProgram when it does not listen in time.
    """
    with log_file.open("wb") as log, cores.pin_to(cores.STUB_CORES):
        process = subprocess.Popen(
            ["sh", "-c", _RUN_UNTIL_STDIN_ENDS, "sh", *command],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C ends the parent process, which then ends this one.
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        for port in ports:
            _wait_for(port, log_file)
        yield
    finally:
        process.stdin.close()
        process.wait()


def _wait_for(port: int, log_file: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise MissingProgram(f"stub on port {port}: {log_file.read_text(errors='replace').strip()[-500:]}")


def free_ports(count: int) -> list[int]:
    """Distinct free ports: all are opened before any is closed."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in servers]
    for each in servers:
        each.close()
    return ports
