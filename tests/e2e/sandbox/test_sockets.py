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

from nwchatctl.operations import sandbox as operations
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
def test_frames_that_close_the_socket(url: str, frame: str | bytes | list[str], code: int) -> None:
    async def scenario() -> None:
        async with two(url) as (client, _):
            with pytest.raises(ConnectionClosed) as closed:
                await client.send(frame)
                await answer(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code

    asyncio.run(scenario())


def test_invalid_utf8_closes_only_its_socket(url: str) -> None:
    async def scenario() -> None:
        async with two(url) as (client, _):
            # A masked text frame of two bytes that no UTF-8 has; the library would not send it.
            client.transport.write(bytes([0x81, 0x82, 0, 0, 0, 0, 0xFF, 0xFE]))
            with pytest.raises(ConnectionClosed):
                await answer(client)

    asyncio.run(scenario())


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
def test_frames_that_keep_the_socket_open(url: str, frame: str | list[str], expected: str) -> None:
    async def scenario() -> None:
        async with two(url) as (client, _):
            await client.send(frame)
            assert await answer(client) == expected
            await client.send("still here")
            assert await answer(client) == "10 by $default"

    asyncio.run(scenario())


def test_failed_function_answers_as_aws_does(url: str) -> None:
    async def scenario() -> None:
        async with two(url) as (client, _):
            await client.send("fail")
            frame = json.loads(await answer(client))
            assert frame["message"] == "Internal server error"
            assert set(frame) == {"message", "connectionId", "requestId"}

    asyncio.run(scenario())


def test_slow_event_does_not_delay_other_sockets(url: str) -> None:
    async def scenario() -> None:
        async with two(url) as (client, neighbour):
            await client.send("slow")
            slow = asyncio.create_task(answer(client))
            await neighbour.send("quick")
            assert await answer(neighbour) == "5 by $default"
            assert not slow.done()
            assert await slow == "4 by $default"

    asyncio.run(scenario())


def test_stopping_closes_open_sockets_and_takes_seconds(separate_sandbox: Sandbox) -> None:
    operations.start(separate_sandbox.state, separate_sandbox.port)
    url = separate_sandbox.socket_url(echo_chat(separate_sandbox, "stops"))
    info = state.running(separate_sandbox.state)
    assert info is not None

    async def scenario() -> None:
        async with connect(url, proxy=None) as client:
            await client.send("hi")
            await answer(client)
            os.kill(info.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await answer(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012

    asyncio.run(scenario())
    assert file_lock.wait_until_free(separate_sandbox.state.server_lock, timeout=60)
    assert "stopped" in separate_sandbox.state.log.read_text()
