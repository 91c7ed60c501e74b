"""Sockets on the sandbox end where AWS ends them, and no neighbour feels it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from nwchatctl.commands import sandbox as commands
from nwchatctl.sandbox import file_lock, state
from tests.e2e.support.sandbox import Sandbox, echo_chat


@pytest.fixture(scope="module")
def url(sandbox: Sandbox) -> str:
    return sandbox.socket_url(echo_chat(sandbox, "sockets"))


async def answer(client: ClientConnection) -> str:
    return str(await asyncio.wait_for(client.recv(), 20))


@asynccontextmanager
async def two(url: str) -> AsyncIterator[tuple[ClientConnection, ClientConnection]]:
    async with connect(url, proxy=None) as one, connect(url, proxy=None) as neighbour:
        yield one, neighbour
        await neighbour.send("hi")
        assert await answer(neighbour) == "2 by $default"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01", 1003),
        ("x" * 40_000, 1009),
        ("x" * 32_769, 1009),
        ("é" * 20_000, 1009),
        (["x" * 32_000] * 5, 1009),
        ("x" * 3_000_000, 1009),
    ],
)
def test_what_ends_a_socket(url: str, frame: str | bytes | list[str], code: int) -> None:
    async def scene() -> None:
        async with two(url) as (client, _):
            with pytest.raises(ConnectionClosed) as closed:
                await client.send(frame)
                await answer(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code

    asyncio.run(scene())


def test_bytes_that_are_no_text_end_their_socket_alone(url: str) -> None:
    async def scene() -> None:
        async with two(url) as (client, _):
            # A masked text frame of two bytes that no UTF-8 has; the library would not send it.
            client.transport.write(bytes([0x81, 0x82, 0, 0, 0, 0, 0xFF, 0xFE]))
            with pytest.raises(ConnectionClosed):
                await answer(client)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("x" * 32_768, "32768 by $default"),
        (["x" * 32_000] * 3, "96000 by $default"),
        ("[" * 10_000, "10000 by $default"),
        ('{"action": ' + "[" * 900 + "]" * 900 + "}", "1812 by $default"),
        ('{"action": "$disconnect"}', "25 by $default"),
        ('{"action": "\\ud800"}', "20 by $default"),
        ("", "0 by $default"),
        ("surrogate", "a\ufffdb"),
    ],
)
def test_what_a_socket_lives_through(url: str, frame: str | list[str], expected: str) -> None:
    async def scene() -> None:
        async with two(url) as (client, _):
            await client.send(frame)
            assert await answer(client) == expected
            await client.send("still here")
            assert await answer(client) == "10 by $default"

    asyncio.run(scene())


def test_a_failed_function_says_what_aws_says(url: str) -> None:
    async def scene() -> None:
        async with two(url) as (client, _):
            await client.send("fail")
            frame = json.loads(await answer(client))
            assert frame["message"] == "Internal server error"
            assert set(frame) == {"message", "connectionId", "requestId"}

    asyncio.run(scene())


def test_a_slow_event_holds_up_nobody_else(url: str) -> None:
    async def scene() -> None:
        async with two(url) as (client, neighbour):
            await client.send("slow")
            slow = asyncio.create_task(answer(client))
            await neighbour.send("quick")
            assert await answer(neighbour) == "5 by $default"
            assert not slow.done()
            assert await slow == "4 by $default"

    asyncio.run(scene())


def test_stopping_closes_open_sockets_and_takes_seconds(lone_sandbox: Sandbox) -> None:
    commands.start(lone_sandbox.state, lone_sandbox.port)
    url = lone_sandbox.socket_url(echo_chat(lone_sandbox, "stops"))
    info = state.running(lone_sandbox.state)
    assert info is not None

    async def scene() -> None:
        async with connect(url, proxy=None) as client:
            await client.send("hi")
            await answer(client)
            os.kill(info.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await answer(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012

    asyncio.run(scene())
    assert file_lock.wait_until_free(lone_sandbox.state.server_lock, timeout=8)
    assert "stopped" in lone_sandbox.state.log.read_text()
