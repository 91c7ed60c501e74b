from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from nwchatctl.sandbox.patches import keepalive

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 60.0


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TCPServer, "_read_data", keepalive.read_data)
    monkeypatch.setattr(TCPServer, "protocol_send", keepalive.protocol_send)


async def served(
    client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    answering: asyncio.Event,
) -> None:
    """One connection of that client's; returns when the server has let go of it."""
    over = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, config = asyncio.get_running_loop(), Config()
        config.keep_alive_timeout = 75
        await TCPServer(ASGIWrapper(app), loop, config, WorkerContext(None), {}, reader, writer)
        over.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await asyncio.wait_for(client(reader, writer), SECONDS)
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(over.wait(), SECONDS)


def test_client_that_closes_between_requests_is_released() -> None:
    async def scenario() -> None:
        answering = asyncio.Event()
        answering.set()

        async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                writer.write(REQUEST)
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")

        await served(twice, answering)

    asyncio.run(scenario())


def test_client_that_closes_before_response_is_released_after_it() -> None:
    async def scenario() -> None:
        answering = asyncio.Event()

        async def short_timeouts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(REQUEST)
            writer.write_eof()
            asyncio.get_running_loop().call_later(0.1, answering.set)
            await reader.read()

        await served(short_timeouts, answering)

    asyncio.run(scenario())
