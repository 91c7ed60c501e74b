"""Servers for as long as they are wanted: on cores of their own, and gone with whoever started them."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.posts import cores
from bench.posts.tools import Missing

_PATIENCE = 10.0
"""Seconds until a server that doesn't listen has failed."""

_KEEPER = '"$@" & child=$!; cat >/dev/null; kill "$child" 2>/dev/null; wait "$child"'
"""Runs a command until stdin ends, which it does when we end, killed or not."""


@contextmanager
def kept(
    command: Sequence[str], environ: Mapping[str, str], said: Path, ports: Sequence[int]
) -> Iterator[None]:
    """The command, which listens on these ports; its output goes to `said`. Missing when it doesn't."""
    with said.open("wb") as log, cores.on(cores.stub()):
        heartbeat = subprocess.Popen(
            ["sh", "-c", _KEEPER, "sh", *command],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C is for us, who end it.
            start_new_session=True,
        )
    assert heartbeat.stdin is not None
    try:
        for port in ports:
            _wait_for(port, said)
        yield
    finally:
        heartbeat.stdin.close()
        heartbeat.wait()


def _wait_for(port: int, said: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Missing(f"stub on port {port}: {said.read_text(errors='replace').strip()[-500:]}")


def free_ports(count: int) -> list[int]:
    """Different ones: all are taken before any is let go."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports
