"""Both transports through TLS and through proxies."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nwchat.delivery.outcome import Delivered, Failed
from nwchat.delivery.scheduler import RequestScheduler
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub, make_authority
from tests.adapters.nwchat.delivery.transport_run import SOON, MakeTransport, Sent, send

Serve = Callable[..., Stub]


def answering(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


def reason(sent: Sent) -> str:
    (reason,) = {outcome.reason for outcome in sent.outcomes.values() if isinstance(outcome, Failed)}
    return reason


def test_private_ca_is_accepted(serve: Serve, make_transport: MakeTransport, authority: Authority) -> None:
    stub = serve(answering, authority.context)
    transport = make_transport(ca=authority.ca)
    assert send(transport, stub.url, map(str, range(50)), max_concurrency=4).kinds == {Delivered: 50}
    assert send(transport, stub.url, map(str, range(50)), max_concurrency=4).kinds == {Delivered: 50}
    assert stub.connections <= 4


def test_untrusted_certificate_is_refused(
    serve: Serve, make_transport: MakeTransport, authority: Authority, tmp_path: Path
) -> None:
    stub = serve(answering, make_authority(tmp_path / "other").context)
    sent = send(make_transport(ca=authority.ca), stub.url, "abc", attempts=2)
    assert sent.kinds == {Failed: 3}
    assert "certificate" in reason(sent).lower()
    assert stub.requests == []
    assert sent.seconds < SOON


def test_certificate_for_other_host_is_refused(
    serve: Serve, make_transport: MakeTransport, authority: Authority
) -> None:
    stub = serve(answering, authority.context)
    url = stub.url.replace("127.0.0.1", "localhost")
    sent = send(make_transport(ca=authority.ca), url, "abc", attempts=2)
    assert sent.kinds == {Failed: 3}
    assert stub.requests == []


def test_server_without_tls_is_refused(
    serve: Serve, make_transport: MakeTransport, authority: Authority
) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        peer.hold()

    url = serve(script).url.replace("http:", "https:")
    sent = send(make_transport(ca=authority.ca), url, "abc", attempts=2)
    assert sent.kinds == {Failed: 3}
    assert sent.seconds < SOON


def test_stalled_tls_handshake_times_out(
    serve: Serve, make_transport: MakeTransport, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nwchat.delivery.socket_transport", "nwchatctl.net.curl_transport"):
        monkeypatch.setattr(f"{module}.CONNECT_TIMEOUT_SECONDS", 0.3)
        monkeypatch.setattr(f"{module}.RESPONSE_TIMEOUT_SECONDS", 0.3)
    pauses = 0
    pause = RequestScheduler.wait_seconds

    def counted(scheduler: RequestScheduler[object], now: float) -> float:
        nonlocal pauses
        pauses += 1
        return pause(scheduler, now)

    monkeypatch.setattr(RequestScheduler, "wait_seconds", counted)
    monkeypatch.setattr("nwchat.delivery.socket_transport._MAX_CONNECTING", 20)
    url = serve(Peer.hold).url.replace("http:", "https:")
    sent = send(make_transport(ca=authority.ca), url, map(str, range(60)), attempts=1)
    assert sent.kinds == {Failed: 60}
    assert sent.seconds < SOON
    assert pauses < 200, "it waits, and does not look again and again"


class Proxy:
    """Lets who knows the word through, and remembers the asked."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, peer: Peer) -> None:
        head = peer.head()
        if head is None:
            return
        self.asked.append(head)
        peer.send(self.answer)
        if b"200" not in self.answer:
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        peer.pipe(socket.create_connection((host, int(port)), timeout=60))


def test_through_a_proxy(serve: Serve, make_transport: MakeTransport, authority: Authority) -> None:
    stub = serve(answering, authority.context)
    proxy = Proxy(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n")
    way = f"http://user:w%40rd@127.0.0.1:{serve(proxy).port}"
    transport = make_transport(ca=authority.ca, proxy=way)
    sent = send(transport, stub.url, map(str, range(20)), max_concurrency=2)
    assert sent.kinds == {Delivered: 20}
    assert 1 <= len(proxy.asked) <= 2
    lines = proxy.asked[0].splitlines()
    assert lines[0] == f"CONNECT 127.0.0.1:{stub.port} HTTP/1.1"
    word = base64.b64encode(b"user:w@rd").decode()
    assert f"proxy-authorization: basic {word}".lower() in [line.lower() for line in lines]
    assert not any(line.lower().startswith(("authorization", "x-amz")) for line in lines)
    assert all("proxy-authorization" not in request.head.lower() for request in stub.requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.1 4",
        b"",
    ],
)
def test_refusing_proxy_is_a_failure(
    serve: Serve, make_transport: MakeTransport, authority: Authority, answer: bytes
) -> None:
    way = f"http://127.0.0.1:{serve(Proxy(answer)).port}"
    sent = send(make_transport(ca=authority.ca, proxy=way), "https://127.0.0.1:9/p", "ab", attempts=2)
    assert sent.kinds == {Failed: 2}
    assert sent.seconds < SOON


def test_unreachable_proxy_is_a_failure(serve: Serve, make_transport: MakeTransport) -> None:
    stub = serve(answering)
    stub.close()
    way = f"127.0.0.1:{stub.port}"
    sent = send(make_transport(proxy=way), "https://127.0.0.1:9/p", "ab", attempts=2)
    assert sent.kinds == {Failed: 2}
    assert "connect" in reason(sent)
