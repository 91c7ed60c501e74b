"""The server process: `python -m nwchatctl.sandbox.server --port P --state-dir D [--idle-stop SECONDS]`.

Its arguments say all that it needs to know about the machine. It replaces its own environment before it
imports the application, because ministack reads its settings while it is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path

from nwchatctl.sandbox import directory, file_lock, limits
from nwchatctl.sandbox.environment import server_environment
from nwchatctl.sandbox.state import (
    ALREADY_RUNNING,
    DEFAULT_REGION,
    IDLE_STOP_SECONDS,
    NOT_INSTALLED,
    PORT_TAKEN,
    SandboxPaths,
    ensure_root,
)

logger = logging.getLogger("nwchatctl.sandbox")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="nwchatctl.sandbox.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--idle-stop", type=float, default=IDLE_STOP_SECONDS, help="seconds; 0 never stops")
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--ready-fd", type=int, default=None, help="gets one line when the server answers")
    parser.add_argument("--pace", type=limits.parse_pace, default=0.0, help="a factor of AWS's own times")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args(argv)
    limits.set_current(limits.RuleValues(args.pace, limits.parse_limits(args.limit)))

    paths = SandboxPaths(args.state_dir.absolute())
    paths.make()
    lock = file_lock.acquire(paths.server_lock, timeout=1.0)
    if lock is None:
        print("the server is already running", file=sys.stderr)  # noqa: T201 - its stderr is the log
        return ALREADY_RUNNING
    paths.info.unlink(missing_ok=True)
    listener = listen(args.port)
    if listener is None:
        print(f"port {args.port} is taken by another process", file=sys.stderr)  # noqa: T201 - as above
        return PORT_TAKEN
    prepare(paths, port=args.port, region=args.region)
    root = ensure_root(paths)
    if importlib.util.find_spec("ministack") is None:
        return NOT_INSTALLED
    # Imports ministack, which reads its settings from the environment that `prepare` has set.
    from nwchatctl.sandbox import application  # noqa: PLC0415 - see the comment above

    asyncio.run(
        application.serve(
            paths, listener, root, region=args.region, idle_stop=args.idle_stop, ready_fd=args.ready_fd
        )
    )
    return 0


def listen(port: int) -> socket.socket | None:
    """A socket that listens on 127.0.0.1 only; None if the port is in use."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        # Asked first, because some systems let 127.0.0.1 be bound beside a listener on every address.
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return None
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(4096)
    except OSError:
        listener.close()
        return None
    return listener


def prepare(paths: SandboxPaths, *, port: int, region: str) -> None:
    """Sets this process's environment, limits, working directory and log."""
    # Folders of a server that was killed.
    directory.delete(paths.root, paths.scratch.name, paths.proxies.name)
    for folder in (paths.scratch, paths.data, paths.proxies):
        folder.mkdir(mode=0o700, exist_ok=True)
    environment = server_environment(os.environ, paths=paths, port=port, region=region)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(paths.root)
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)sZ %(levelname)s [%(name)s] %(message)s")
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
