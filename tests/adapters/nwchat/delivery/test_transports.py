"""What both transports have to be alike in: answers in every spelling, and connections that break."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from nwchat.delivery.outcome import Delivered, Failed, Gone, Open, Outcome, Refused, Throttled
from nwchat.delivery.socket_transport import Transport
from tests.adapters.nwchat.delivery.scripted_server import OK, Peer, Stub
from tests.adapters.nwchat.delivery.transport_run import SOON, send

Serve = Callable[..., Stub]
NO = b'{"message":"no"}'


def http_response(status: str, body: bytes = b"", *headers: str, length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body


CHUNKED = http_response(
    "403 Forbidden",
    b"8\r\n" + NO[:8] + b"\r\n8;x=y\r\n" + NO[8:] + b"\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked",
    length=False,
)
TRAILED = CHUNKED[:-2] + b"X-Trailer: 1\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"

ANSWERS: list[tuple[bytes, Outcome]] = [
    (OK, Delivered()),
    (http_response("200 OK", b"{}"), Delivered()),
    (http_response("204 No Content", length=False), Delivered()),
    (http_response("410 Gone"), Gone()),
    (http_response("410 Gone", NO), Gone()),
    (http_response("410 "), Gone()),
    (http_response("403 Forbidden", NO), Refused(403, "403 no")),
    (http_response("403 Forbidden"), Refused(403, "403")),
    (http_response("403 Forbidden", NO, "connection: close"), Refused(403, "403 no")),
    (http_response("413 Too Large", NO), Refused(413, "413 no")),
    (CHUNKED, Refused(403, "403 no")),
    (TRAILED, Refused(403, "403 no")),
    (CONTINUE + http_response("403 Forbidden", NO), Refused(403, "403 no")),
    (CONTINUE + OK, Delivered()),
    (http_response("429 Too Many Requests", NO), Throttled("429 no", 1)),
    (http_response("429 Too Many Requests"), Throttled("429", 1)),
    (http_response("500 Internal", NO), Failed("500 no", 1)),
    (http_response("503 Unavailable"), Failed("503", 1)),
    (b"HTTP/1.0 200 OK\r\n\r\n", Delivered()),
    (b"HTTP/1.0 403 Forbidden\r\n\r\n" + NO, Refused(403, "403 no")),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 30_000 + b"\r\ncontent-length: 0\r\n\r\n", Delivered()),
]


@pytest.mark.parametrize("dribbled", [False, True])
@pytest.mark.parametrize(("answer", "outcome"), ANSWERS)
def test_an_answer_however_it_is_cut(
    serve: Serve, transport: Transport, answer: bytes, outcome: Outcome, dribbled: bool
) -> None:
    closing = b"HTTP/1.0" in answer or b"close" in answer

    def script(peer: Peer) -> None:
        while peer.request():
            if dribbled and len(answer) < 1000:
                peer.dribble(answer)
            else:
                peer.send(answer)
            if closing:
                return

    stub = serve(script)
    sent = send(transport, stub.url, ["a", "b"], attempts=2, max_concurrency=1)
    assert sent.outcomes == {"a": outcome, "b": outcome}
    assert len(stub.requests) == 2 * (1 + outcome.retries)
    # Kept, unless the answer says otherwise.
    assert stub.connections == (len(stub.requests) if closing else 1)


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_what_is_sent(serve: Serve, transport: Transport, method: str) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(http_response("200 OK", b'{"a":1}'))

    stub = serve(script)
    sent = send(transport, stub.url, ["a=", "b/c"], method=method, body="é".encode(), max_concurrency=1)
    assert set(sent.outcomes.values()) == {Open(b'{"a":1}') if method == "GET" else Delivered()}
    first, second = stub.requests
    assert first.head.startswith(f"{method} /prod/@connections/a%3D HTTP/1.1\r\n")
    assert second.head.startswith(f"{method} /prod/@connections/b%2Fc HTTP/1.1\r\n")
    assert first.body == ("é".encode() if method == "POST" else b"")
    headers = first.head.lower().splitlines()[1:]
    assert f"host: 127.0.0.1:{stub.port}" in headers
    assert not any(line.startswith(("expect", "accept")) for line in headers)
    assert len({line.partition(":")[0] for line in headers}) == len(headers)


WHOLE = [http_response("200 OK", b"{}"), http_response("403 Forbidden", NO), CHUNKED]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("answer", WHOLE)
def test_broken_connection_is_retried(serve: Serve, transport: Transport, answer: bytes, reset: bool) -> None:
    """One connection for each place to break off at, then it is answered."""
    expected = Delivered() if b"200" in answer else Refused(403, "403 no")
    first = {f"n{at}": at for at in range(len(answer))}

    def script(peer: Peer) -> None:
        while request := peer.request():
            at = first.pop(request.name, len(answer))
            peer.send(answer[:at])
            if at < len(answer):
                if reset:
                    peer.reset()
                return

    stub = serve(script)
    names = list(first)
    sent = send(transport, stub.url, names, max_concurrency=8)
    assert sorted(sent.outcomes) == sorted(names)
    for outcome in sent.outcomes.values():
        assert replace(outcome, retries=0) == expected
        assert outcome.retries <= 1
    asked = [request.name for request in stub.requests]
    assert set(asked) == set(names)
    # What is decided by its status isn't sent twice for want of a body.
    assert len(asked) <= 2 * len(names)


def test_closed_kept_connections_do_not_count_as_failures(serve: Serve, transport: Transport) -> None:
    """More of them than libcurl tries before it gives up."""
    count = 12
    all_asked = threading.Barrier(count)
    retries = itertools.count(1)

    def script(peer: Peer) -> None:
        if peer.number < count:
            peer.request()
            all_asked.wait(20)
            # libcurl takes that for a response, and its connection for one that can be kept.
            peer.send(b"HTTP/1.1 403 Forbidden\r\nX: y")
            return
        while peer.request():
            peer.send(OK)

    stub = serve(script)
    ids = [f"n{number}" for number in range(count)]
    # One retry after the other: the first finds all connections closed.
    sent = send(transport, stub.url, ids, jitter=lambda: 0.2 * next(retries))
    assert set(sent.outcomes.values()) == {Delivered(retries=1)}


@pytest.mark.parametrize("how", ["closed while idle", "closed on the next request", "reset on it"])
def test_closed_keepalive_connection_is_not_a_failure(serve: Serve, transport: Transport, how: str) -> None:
    def script(peer: Peer) -> None:
        for _ in range(3):
            if not peer.request():
                return
            peer.send(OK)
        if how != "closed while idle":
            peer.head()
        if how == "reset on it":
            peer.reset()

    stub = serve(script)
    for turn in range(6):
        names = [f"{turn}-{number}" for number in range(2)]
        sent = send(transport, stub.url, names, max_concurrency=1, attempts=1)
        assert sent.outcomes == dict.fromkeys(names, Delivered()), f"turn {turn}"
        if how == "closed while idle" and turn % 2:
            time.sleep(0.01)
    assert stub.connections == 4


def set_timeouts(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in ("nwchat.delivery.socket_transport", "nwchatctl.net.curl_transport"):
        monkeypatch.setattr(f"{module}.RESPONSE_TIMEOUT_SECONDS", seconds)
        monkeypatch.setattr(f"{module}.CONNECT_TIMEOUT_SECONDS", seconds)


@pytest.fixture
def shortest_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that never answer."""
    set_timeouts(monkeypatch, 0.3)


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a response that comes at once, on a busy machine too."""
    set_timeouts(monkeypatch, 1.5)


@pytest.mark.usefixtures("short_timeouts")
def test_stalled_response_times_out(serve: Serve, transport: Transport) -> None:
    """The first request of each is never answered."""
    retried: set[str] = set()

    def script(peer: Peer) -> None:
        while request := peer.request():
            if request.name not in retried:
                retried.add(request.name)
                peer.hold()
                return
            peer.send(OK)

    stub = serve(script)
    sent = send(transport, stub.url, "abc")
    assert sent.outcomes == dict.fromkeys("abc", Delivered(retries=1))
    assert 1.5 <= sent.seconds < SOON


@pytest.mark.usefixtures("shortest_timeouts")
@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 403 x\r\nContent-Len"])
def test_one_that_never_answers_fails(serve: Serve, transport: Transport, begun: bytes) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(begun)
            peer.hold()

    sent = send(transport, serve(script).url, "a", attempts=2)
    (outcome,) = sent.outcomes.values()
    assert isinstance(outcome, Failed)
    assert outcome.retries == 1
    assert sent.seconds < SOON


ENDLESS = [
    (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", Delivered()),
    (b"HTTP/1.1 410 Gone\r\n\r\n", Gone()),
]


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(("begun", "outcome"), ENDLESS)
def test_a_body_that_never_ends_decides_nothing_that_the_status_has(
    serve: Serve, transport: Transport, begun: bytes, outcome: Outcome
) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(begun + b"{")
            peer.hold()

    sent = send(transport, serve(script).url, "a", attempts=1)
    assert sent.outcomes == {"a": outcome}
    assert sent.seconds < SOON


@pytest.mark.parametrize("coded", [b"transfer-encoding: chunked", b"x: y"])
def test_a_body_without_measure_is_cut(serve: Serve, transport: Transport, coded: bytes) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 403 Forbidden\r\n" + coded + b"\r\n\r\n")
            while True:
                peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    sent = send(transport, serve(script).url, "a", attempts=1)
    (outcome,) = sent.outcomes.values()
    assert isinstance(outcome, Refused)
    assert len(outcome.reason) < 400
    assert sent.seconds < SOON


def test_a_body_in_many_small_pieces_is_read_whole(serve: Serve, transport: Transport) -> None:
    body = b'{"message":"' + b"x" * 200 + b' security token included in the request is expired"}'

    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(http_response("403 Forbidden", body)[: -len(body)])
            for at in range(0, len(body), 9):
                peer.send(body[at : at + 9])
                time.sleep(0.0005)

    sent = send(transport, serve(script).url, "a", attempts=1)
    assert isinstance(sent.outcomes["a"], Failed), "expired, and so worth another attempt"


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 403 x\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 403 x\r\ntransfer-encoding: chunked\r\n\r\nnone\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3000 + b"no",
    ],
)
def test_invalid_response_fails_at_once(serve: Serve, transport: Transport, garbage: bytes) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(garbage)
            peer.hold()

    sent = send(transport, serve(script).url, "ab", attempts=2)
    assert sent.kinds == {Failed: 2}
    assert sent.seconds < SOON


def test_headers_without_an_end(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(b"HTTP/1.1 200 OK\r\n")
            while True:
                peer.send(b"x: " + b"y" * 1000 + b"\r\n")

    sent = send(transport, serve(script).url, "a", attempts=2)
    assert sent.kinds == {Failed: 1}
    assert sent.seconds < SOON


def test_refused_connection_is_a_failure(serve: Serve, transport: Transport) -> None:
    stub = serve(lambda peer: None)
    stub.close()
    sent = send(transport, stub.url, "abc", attempts=2)
    assert sent.kinds == {Failed: 3}
    assert sent.seconds < SOON
    (reason,) = {outcome.reason for outcome in sent.outcomes.values() if isinstance(outcome, Failed)}
    assert "connect" in reason


def test_unknown_host_is_a_failure(transport: Transport) -> None:
    sent = send(transport, "http://nobody.invalid/prod", "abc", attempts=2)
    assert sent.kinds == {Failed: 3}
    assert sent.cpu_seconds < 1


def test_unsolicited_data_is_not_a_response(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(OK + http_response("410 Gone"))

    sent = send(transport, serve(script).url, "abcdef", max_concurrency=1)
    assert {type(each) for each in sent.outcomes.values()} <= {Delivered}


def test_what_settling_raises_ends_the_run(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(OK)

    def settle(name: str) -> None:
        raise RuntimeError("a bug")

    stub = serve(script)
    with pytest.raises(RuntimeError, match="a bug"):
        send(transport, stub.url, map(str, range(100)), settle=settle)
    # And the next one knows nothing of it.
    assert send(transport, stub.url, "abc").kinds == {Delivered: 3}
