"""The poster over both transports, against a server on loopback that answers as API Gateway does."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome, Refused, Throttled
from nwchat.delivery.poster import Poster
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchat.delivery.targets import RowDeletion
from nwchatctl.net.curl_transport import CurlTransport


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
    protocol_version = "HTTP/1.1"

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


@pytest.fixture(params=[SocketTransport, CurlTransport])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made: Transport = request.param()
    yield made
    made.close()


def make(transport: Transport, port: int) -> Poster:
    def credentials() -> Credentials:
        return Credentials("a", "b")

    rows = RowDeletion("http://127.0.0.1:1", "us-east-2", "connections", credentials)
    return Poster(transport, f"http://127.0.0.1:{port}/prod", "us-east-2", credentials, rows, lambda: 0)


@pytest.fixture
def poster(gateway: Gateway, transport: Transport) -> Poster:
    return make(transport, gateway.server_port)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200], Delivered()),
        ([410], Gone()),
        ([403], Refused(403, "403 said so")),
        ([413], Refused(413, "413 said so")),
        ([400], Refused(400, "400 said so")),
        ([429, 200], Delivered(retries=1)),
        ([500, 503, 200], Delivered(retries=2)),
        ([429, 410], Gone(retries=1)),
        ([504], Failed("504 said so", retries=4)),
        ([429], Throttled("429 said so", retries=4)),
    ],
)
def test_the_status_decides(gateway: Gateway, poster: Poster, statuses: list[int], outcome: Outcome) -> None:
    gateway.statuses = list(statuses)
    assert poster.post("L0SM9cOFvHcCIhw=", "é".encode()) == outcome
    assert set(gateway.paths) == {"/prod/@connections/L0SM9cOFvHcCIhw%3D"}
    assert set(gateway.bodies) == {"é".encode()}
    assert len(gateway.bodies) == outcome.retries + 1


def test_no_attempt_begins_at_the_deadline(gateway: Gateway, poster: Poster) -> None:
    assert poster.post("a", b"x", deadline=time.monotonic()) == Failed("out of time")
    assert gateway.bodies == []


def test_refused_connection_is_a_failure(transport: Transport) -> None:
    with Gateway() as gone:
        port = gone.server_port
    outcome = make(transport, port).post("a", b"x")
    assert isinstance(outcome, Failed)
    assert "connect" in outcome.reason
    assert outcome.retries == 4


def test_an_id_that_no_path_can_end_in_is_refused_and_not_tried_again(
    gateway: Gateway, poster: Poster
) -> None:
    assert poster.post("..", b"x") == Refused(0, "'..' is no connection id")
    assert gateway.bodies == []
