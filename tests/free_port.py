"""A port for a server that a test starts in another process."""

from __future__ import annotations

import random
import socket

PORTS = range(12_000, 32_000)
"""Below those that Linux and macOS give to outgoing connections. One of those may be in use again when the
server listens, or while a test restarts it."""


def free_port() -> int:
    """A port that is not in use."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
