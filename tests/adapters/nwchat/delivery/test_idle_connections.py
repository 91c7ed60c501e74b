"""Connections that were idle for long are not used again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from nwchat.aws.idle_connections import MAX_IDLE_SECONDS, drop_idle_connections, is_idle_too_long
from nwchat.delivery.outcome import Delivered
from nwchat.delivery.socket_transport import SocketTransport
from nwchatctl.net import curl_transport
from nwchatctl.net.curl_transport import CurlTransport
from tests.adapters.nwchat.delivery.scripted_server import OK, Peer, Stub
from tests.adapters.nwchat.delivery.transport_run import send

Serve = Callable[..., Stub]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def answer_all(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


@pytest.mark.parametrize(
    ("used_at", "now", "too_long"),
    [
        (100.0, 100.0, False),
        (100.0, 100.0 + MAX_IDLE_SECONDS, False),
        (100.0, 100.1 + MAX_IDLE_SECONDS, True),
        (100.0, 99.0, True),
    ],
)
def test_how_long_is_too_long(used_at: float, now: float, too_long: bool) -> None:
    assert is_idle_too_long(used_at, now) is too_long


@pytest.fixture
def socket_transport() -> Iterator[tuple[SocketTransport, Clock]]:
    clock = Clock()
    made = SocketTransport(wall_clock=clock)
    yield made, clock
    made.close()


@pytest.mark.parametrize(
    ("idle", "connections"), [(MAX_IDLE_SECONDS, 1), (MAX_IDLE_SECONDS + 1, 2), (-1.0, 2)]
)
def test_socket_transport_drops_idle_connections(
    serve: Serve, socket_transport: tuple[SocketTransport, Clock], idle: float, connections: int
) -> None:
    transport, clock = socket_transport
    stub = serve(answer_all)
    for _ in range(2):
        assert send(transport, stub.url, ["a"]).outcomes == {"a": Delivered()}
        clock.now += idle
    assert stub.connections == connections


def test_of_several_connections_only_those_idle_for_long_are_dropped(
    serve: Serve, socket_transport: tuple[SocketTransport, Clock]
) -> None:
    transport, clock = socket_transport
    stub = serve(answer_all)
    send(transport, stub.url, map(str, range(20)))
    first = stub.connections
    assert first > 1
    clock.now += MAX_IDLE_SECONDS - 1
    send(transport, stub.url, ["a"], max_concurrency=1)
    clock.now += 2
    send(transport, stub.url, ["a"], max_concurrency=1)
    assert stub.connections == first, "the one that was used in between is used again"
    send(transport, stub.url, map(str, range(20)))
    assert stub.connections > first


@pytest.mark.parametrize(("seconds", "connections"), [(1.0, 2), (20.0, 1)])
def test_curl_transport_drops_idle_connections(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, seconds: float, connections: int
) -> None:
    monkeypatch.setattr(curl_transport, "MAX_IDLE_SECONDS", seconds)
    transport, stub = CurlTransport(), serve(answer_all)
    send(transport, stub.url, ["a"])
    # libcurl counts whole seconds of its own clock.
    time.sleep(2.1)
    assert send(transport, stub.url, ["a"]).outcomes == {"a": Delivered()}
    assert stub.connections == connections
    transport.close()


@pytest.mark.parametrize(("idle", "connections"), [(MAX_IDLE_SECONDS, 1), (MAX_IDLE_SECONDS + 1, 3)])
def test_boto3_client_drops_idle_connections(serve: Serve, idle: float, connections: int) -> None:
    def answer(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n" + b'{"TableNames":[]}')

    stub, clock = serve(answer), Clock()
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=stub.url.rpartition("/")[0],
        region_name="us-east-2",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(proxies={}),
    )
    drop_idle_connections(client, clock)
    for _ in range(3):
        assert client.list_tables()["TableNames"] == []
        clock.now += idle
    assert stub.connections == connections
    client.close()
