"""The server process: `python -m nwchatctl.sandbox.server --port P --state-dir D [--idle-stop SECONDS]`.

Everything it needs to know about the machine is in its arguments; it clears its own environment before
ministack is imported, because ministack reads its settings while it is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nwchatctl.sandbox import file_lock
from nwchatctl.sandbox.environment import server_environment
from nwchatctl.sandbox.state import (
    ALREADY_RUNNING,
    DEFAULT_REGION,
    IDLE_STOP_SECONDS,
    NOT_INSTALLED,
    PORT_TAKEN,
    SandboxPaths,
    write_json,
)

if TYPE_CHECKING:
    from nwchatctl.sandbox.middleware import Middleware

logger = logging.getLogger("nwchatctl.sandbox")

_SOCKETS_SECONDS = 1.5
_GRACE_SECONDS = 6.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="nwchatctl.sandbox.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--idle-stop", type=float, default=IDLE_STOP_SECONDS, help="seconds; 0 never stops")
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--ready-fd", type=int, default=None, help="gets one line when the server answers")
    args = parser.parse_args(argv)

    state = SandboxPaths(args.state_dir.absolute())
    state.make()
    lock = file_lock.take(state.server_lock, timeout=1.0)
    if lock is None:
        print("the server is already running", file=sys.stderr)  # noqa: T201 - its stderr is the log
        return ALREADY_RUNNING
    state.info.unlink(missing_ok=True)
    listener = listen(args.port)
    if listener is None:
        print(f"port {args.port} is taken by another process", file=sys.stderr)  # noqa: T201 - as above
        return PORT_TAKEN
    prepare(state, port=args.port, region=args.region)
    try:
        import ministack  # noqa: F401
    except ImportError:
        return NOT_INSTALLED
    asyncio.run(serve(state, listener, region=args.region, idle_stop=args.idle_stop, ready_fd=args.ready_fd))
    return 0


def listen(port: int) -> socket.socket | None:
    """A socket that listens on 127.0.0.1 alone, or None when something else answers there already."""
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


def prepare(state: SandboxPaths, *, port: int, region: str) -> None:
    """Sets this process's environment, limits, working directory and log."""
    shutil.rmtree(state.scratch, ignore_errors=True)
    for folder in (state.scratch, state.data):
        folder.mkdir(parents=True, exist_ok=True)
    environment = server_environment(os.environ, state=state, port=port, region=region)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(state.root)
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)sZ %(levelname)s [%(name)s] %(message)s")
    logger.setLevel(logging.INFO)


async def serve(
    state: SandboxPaths, listener: socket.socket, *, region: str, idle_stop: float, ready_fd: int | None
) -> None:
    """Serves until SIGTERM, SIGINT or `idle_stop` seconds without anybody, then ends the process."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app

    from nwchatctl.sandbox.middleware import MAX_MESSAGE_BYTES, Middleware
    from nwchatctl.sandbox.patches import keepalive, ministack, subprotocols, websocket_frames
    from nwchatctl.sandbox.patches.custom_domains import CustomDomains
    from nwchatctl.sandbox.state_saver import Saver

    keepalive.install()
    websocket_frames.install()
    ministack.install()
    port = listener.getsockname()[1]

    def ready() -> None:
        info = {"pid": os.getpid(), "port": port, "region": region, "python": sys.executable}
        write_json(state.info, info)
        logger.info("ready on http://127.0.0.1:%d", port)
        if ready_fd is not None:
            with suppress(OSError):
                os.write(ready_fd, b"ready\n")
                os.close(ready_fd)

    saver = Saver(ministack.save_state)
    door = Middleware(CustomDomains(subprotocols.answering(app)), on_write=saver.touch, on_ready=ready)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1.0
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.websocket_max_message_size = MAX_MESSAGE_BYTES

    async def trigger() -> None:
        await _until_stopped(door, idle_stop)
        logger.info("stopping")
        # A request in mid-air can hold hypercorn, and `Server.wait_closed` from Python 3.12 on.
        timer = threading.Timer(_GRACE_SECONDS, _leave, (state, ministack.save_state))
        timer.daemon = True
        timer.start()
        await door.close(timeout=_SOCKETS_SECONDS)
        ministack.kill_functions()
        await saver.stop()

    await hypercorn_serve(door, config, shutdown_trigger=trigger)  # type: ignore[arg-type]
    logger.info("stopped")
    # Not a return: the interpreter would wait for the threads of running Lambdas.
    _leave(state)


async def _until_stopped(door: Middleware, idle_stop: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        left = idle_stop - door.idle_seconds() if idle_stop else 3600.0
        if left <= 0:
            logger.info("nobody was here for %d seconds", idle_stop)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left)


def _leave(state: SandboxPaths, save: Callable[[], object] = lambda: None) -> None:
    from nwchatctl.sandbox.patches import ministack

    save()
    ministack.kill_functions()
    state.info.unlink(missing_ok=True)
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
