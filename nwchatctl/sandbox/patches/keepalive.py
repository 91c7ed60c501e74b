"""HTTP connections whose client has gone.

hypercorn 0.18 lets go of a connection that its client has closed only after the whole keep-alive timeout.
Many of them, as of one command after another, slow each later call down.
"""

from __future__ import annotations

from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Updated

_read = TCPServer._read_data
_send = TCPServer.protocol_send


async def read_data(server: Any) -> None:
    """Reads until the client closes; what waits for its next request ends with that."""
    await _read(server)
    await server.idle_task.stop()


async def protocol_send(server: Any, event: Any) -> None:
    """Whoever closed while its request was answered sends no other: nothing begins to wait for one."""
    if not (isinstance(event, Updated) and event.idle and server.reader.at_eof()):
        await _send(server, event)


def install() -> None:
    hypercorn: Any = TCPServer
    hypercorn._read_data = read_data
    hypercorn.protocol_send = protocol_send
