"""Ends HTTP connections that their client has closed.

hypercorn 0.18 keeps such a connection for the whole keep-alive timeout. Many of them, as after a series of
commands, slow each later call down.
"""

from __future__ import annotations

from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Updated

_read = TCPServer._read_data
_send = TCPServer.protocol_send


async def read_data(server: Any) -> None:
    """Reads until the client closes, and then stops the wait for its next request."""
    await _read(server)
    await server.idle_task.stop()


async def protocol_send(server: Any, event: Any) -> None:
    """Sends an event, but starts no wait for a next request if the client has closed."""
    if not (isinstance(event, Updated) and event.idle and server.reader.at_eof()):
        await _send(server, event)


def install() -> None:
    hypercorn: Any = TCPServer
    hypercorn._read_data = read_data
    hypercorn.protocol_send = protocol_send
