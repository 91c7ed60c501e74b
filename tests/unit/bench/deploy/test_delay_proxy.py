"""The proxy: whole messages through one connection, each call noted, nothing left running."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from bench.deploy.delay_proxy import DelayProxy

SIGNED = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-2/{}/aws4_request, SignedHeaders=host"


class _Aws(BaseHTTPRequestHandler):
    """Answers with what it was sent, in chunks where the path says so."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/nothing":
            self.send_response(204)
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (body[:3], body[3:], b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def aws() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Aws) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(client: http.client.HTTPConnection, method: str, path: str, body: str, **headers: str) -> bytes:
    client.request(method, path, body, {each.replace("_", "-"): text for each, text in headers.items()})
    return client.getresponse().read()


def test_every_call_of_a_connection_is_passed_on_whole_delayed_and_noted(aws: int) -> None:
    with DelayProxy(aws, delay=0.02).serve() as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        table = {"Authorization": SIGNED.format("dynamodb"), "X_Amz_Target": "DynamoDB_20120810.CreateTable"}
        assert asked(client, "POST", "/", "x" * 200_000, **table) == b"x" * 200_000
        sts = SIGNED.format("sts")
        assert asked(client, "POST", "/chunked", "Version=1&Action=GetCaller", Authorization=sts) == (
            b"Version=1&Action=GetCaller"
        )
        assert asked(client, "DELETE", "/nothing", "", Authorization=SIGNED.format("lambda")) == b""
        assert asked(client, "GET", "/v2/apis", "", Authorization=SIGNED.format("apigateway")) == b""
        client.close()
        calls = proxy.take_calls()
    assert [(each.service, each.operation) for each in calls] == [
        ("dynamodb", "CreateTable"),
        ("sts", "GetCaller"),
        ("lambda", "DELETE /nothing"),
        ("apigateway", "GET /v2/apis"),
    ]
    assert all(each.ended - each.began >= 0.02 for each in calls)
    assert all(one.ended <= next_.began for one, next_ in pairwise(calls))
    assert proxy.take_calls() == []


def test_calls_of_several_connections_wait_beside_each_other(aws: int) -> None:
    with DelayProxy(aws, delay=0.2).serve() as proxy:
        clients = [http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60) for _ in range(4)]
        for each in clients:
            each.request("GET", "/")
        for each in clients:
            each.getresponse().read()
            each.close()
        calls = proxy.take_calls()
    assert len(calls) == 4
    # All had come before the first was answered.
    assert max(each.began for each in calls) < min(each.ended for each in calls)


def test_it_leaves_nothing_running(aws: int) -> None:
    with DelayProxy(aws).serve() as proxy:
        open_still = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        assert asked(open_still, "GET", "/", "") == b""
    assert "proxy" not in {each.name for each in threading.enumerate()}
    open_still.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60).connect()
