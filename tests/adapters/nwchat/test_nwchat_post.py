"""The poster with botocore's own client, against a server on loopback that answers as API Gateway does."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from nwchat.outcome import Delivered, Failed, Gone, Outcome, Refused
from nwchat.post import Poster


class Gateway(http.server.ThreadingHTTPServer):
    """Answers with `statuses` in turn, the last one for ever, and remembers paths and bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = [200]
        self.paths: list[str] = []
        self.bodies: list[bytes] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        server = self.server
        server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        server.paths.append(self.path)
        status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        body = b"" if status in (200, 410) else b'{"message":"said so"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(port: int, clock: Clock) -> tuple[Any, Poster]:
    client = boto3.client(
        "apigatewaymanagementapi",
        region_name="us-east-2",
        endpoint_url=f"http://127.0.0.1:{port}/prod",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=2
        ),
    )
    return client, Poster(
        client, attempts=3, base=1, cap=1.5, sleep=clock.sleep, jitter=lambda: 1.0, clock=clock
    )


@pytest.fixture
def poster(gateway: Gateway, clock: Clock) -> Iterator[Poster]:
    client, poster = make(gateway.server_port, clock)
    yield poster
    client.close()


@pytest.mark.parametrize(
    ("statuses", "outcome", "waits"),
    [
        ([200], Delivered(), []),
        ([410], Gone(), []),
        ([403], Refused(403, "403 403: said so"), []),
        ([413], Refused(413, "413 413: said so"), []),
        ([400], Refused(400, "400 400: said so"), []),
        ([429, 200], Delivered(retries=1), [1]),
        ([500, 503, 200], Delivered(retries=2), [1, 1.5]),
        ([429, 410], Gone(retries=1), [1]),
        ([504], Failed("504 504: said so", retries=2), [1, 1.5]),
    ],
)
def test_the_status_decides(
    gateway: Gateway, clock: Clock, poster: Poster, statuses: list[int], outcome: Outcome, waits: list[float]
) -> None:
    gateway.statuses = statuses
    assert poster.post("L0SM9cOFvHcCIhw=", "é".encode()) == outcome
    assert clock.waits == waits
    assert set(gateway.paths) == {"/prod/@connections/L0SM9cOFvHcCIhw%3D"}
    assert set(gateway.bodies) == {"é".encode()}


def test_no_attempt_begins_at_the_deadline(gateway: Gateway, clock: Clock, poster: Poster) -> None:
    gateway.statuses = [429]
    assert poster.post("a", b"x", deadline=2.5) == Failed("429 429: said so", retries=1)
    assert len(gateway.bodies) == 2


def test_nobody_listening(clock: Clock) -> None:
    with Gateway() as gone:
        port = gone.server_port
    client, poster = make(port, clock)
    assert poster.post("a", b"x") == Failed("EndpointConnectionError", retries=2)
    client.close()


def test_what_the_client_itself_refuses_is_not_tried_again(clock: Clock, poster: Poster) -> None:
    assert poster.post(5, b"x") == Failed("ParamValidationError")  # type: ignore[arg-type]
    assert clock.waits == []
