"""The ASGI application of the server process: ministack with its patches, behind the middleware.

Import this module only after the environment is set: ministack reads its settings while it is imported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from ministack.app import app

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.middleware import Middleware
from nwchatctl.sandbox.patches import (
    data_plane,
    function_processes,
    keepalive,
    ministack,
    signatures,
    slow_clients,
    subprotocols,
    websocket_frames,
)
from nwchatctl.sandbox.patches.call_checks import CallChecks
from nwchatctl.sandbox.patches.custom_domains import CustomDomains
from nwchatctl.sandbox.patches.request_rates import RequestRates
from nwchatctl.sandbox.request_filter import RequestFilter
from nwchatctl.sandbox.state import SERVER_VERSION, AccessKey, SandboxPaths, is_proxy, write_json
from nwchatctl.sandbox.state_saver import StateSaver

logger = logging.getLogger("nwchatctl.sandbox")

_MAX_MESSAGE_BYTES = 16 << 20
"""The longest message where the rule `message_size` is off."""

_SOCKETS_SECONDS = 1.5
"""How long the $disconnect events of closed sockets may take."""

_GRACE_SECONDS = 6.0
"""How long a stopping server waits for requests in progress before the process ends anyway."""


async def serve(
    paths: SandboxPaths,
    listener: socket.socket,
    root: AccessKey,
    *,
    region: str,
    idle_stop: float,
    ready_fd: int | None,
) -> None:
    """Serves until SIGTERM, SIGINT or `idle_stop` seconds without a client, then ends the process.

    `root` is the access key of the emulator's root user. Writes one line to the file descriptor `ready_fd`
    once the server answers.
    """
    keepalive.install()
    websocket_frames.install()
    slow_clients.install()
    ministack.install()
    function_processes.install()
    keys = signatures.Signatures(root)
    keys.install()
    # After every other patch of connections.
    data_plane.install()
    port = listener.getsockname()[1]

    def ready() -> None:
        about = {"pid": os.getpid(), "port": port, "region": region, "python": sys.executable}
        held = limits.current()
        write_json(
            paths.info,
            {**about, "version": SERVER_VERSION, "pace": held.pace, "chosen": dict(held.chosen)},
        )
        logger.info("ready on http://127.0.0.1:%d", port)
        if ready_fd is not None:
            with suppress(OSError):
                os.write(ready_fd, b"ready\n")
                os.close(ready_fd)

    state_saver = StateSaver(ministack.save_state)
    middleware = Middleware(
        subprotocols.with_subprotocol(app),
        on_write=state_saver.touch,
        on_ready=ready,
        abort_client=slow_clients.abort_client,
    )
    # Outside of the middleware: a refused request is no use of the sandbox and changes nothing.
    filtered = RequestFilter(
        middleware,
        is_chat=signatures.is_chat,
        signatures=CallChecks(keys, RequestRates()),
        is_our_port=lambda sent_to: sent_to == port or is_proxy(paths, sent_to),
    )

    async def stop() -> None:
        await _until_stopped(middleware, idle_stop)
        logger.info("stopping")
        # A request in progress can block hypercorn, and `Server.wait_closed` from Python 3.12 on.
        timer = threading.Timer(_GRACE_SECONDS, _exit, (paths, ministack.save_state))
        timer.daemon = True
        timer.start()
        await middleware.close(timeout=_SOCKETS_SECONDS)
        ministack.kill_functions()
        await state_saver.stop()

    config = _hypercorn_config(listener)
    await hypercorn_serve(CustomDomains(filtered), config, shutdown_trigger=stop)  # type: ignore[arg-type]
    logger.info("stopped")
    # Not a return: the interpreter would wait for the threads of running Lambdas.
    _exit(paths)


def _hypercorn_config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1.0
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # The middleware closes on a message over AWS's limit; this is what hypercorn keeps of one at most.
    config.websocket_max_message_size = round(limits.current().value("message_size") or _MAX_MESSAGE_BYTES)
    return config


async def _until_stopped(middleware: Middleware, idle_stop: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        left = idle_stop - middleware.idle_seconds() if idle_stop else 3600.0
        if left <= 0:
            logger.info("nobody was here for %d seconds", idle_stop)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left)


def _exit(paths: SandboxPaths, save: Callable[[], object] = lambda: None) -> None:
    save()
    ministack.kill_functions()
    paths.info.unlink(missing_ok=True)
    logging.shutdown()
    os._exit(0)
