"""Both transports while much goes wrong, and when they are stopped."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Delivered, Failed, Gone, Throttled
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.socket_transport import Transport
from nwchat.model.rows import Recipient
from nwchatctl.signals import graceful_stop
from tests.adapters.nwchat.delivery.scripted_server import OK, Peer, Stub
from tests.adapters.nwchat.delivery.transport_run import SOON, send

Serve = Callable[..., Stub]
GONE = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"
SLOW_DOWN = b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n"
EXPIRED = (
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 57\r\nx-amzn-errortype: ExpiredTokenException\r\n\r\n"
    b'{"message":"ExpiredTokenException: the token is expired"}'
)


def answering(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


class FaultyServer:
    """Breaks so large a share of all calls, each in one of many ways; keeps whom it answered 200."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.accepted: set[str] = set()
        self.faults: Counter[int] = Counter()
        self._random = random.Random(7)
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        while request := peer.request():
            with self._lock:
                fault = self._random.randrange(8) if self._random.random() < self.share else -1
                self.faults[fault] += 1
            whole = GONE if request.name.startswith("gone") else OK
            match fault:
                case 0:
                    peer.send(SLOW_DOWN)
                case 1:
                    peer.send(b"HTTP/1.1 429 x\r\ncontent-length: 18\r\n\r\n" + b'{"message":"slow"}')
                case 2:
                    peer.send(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    return
                case 3:
                    peer.reset()
                    return
                case 4:
                    peer.send(whole[:20])
                    peer.reset()
                    return
                case 5:
                    peer.send(b"HTTP/1.1 500 x\r\ncontent-length: 100\r\n\r\nhalf")
                    peer.reset()
                    return
                case 6:
                    return
                case 7:
                    peer.send(b"garbage\r\n\r\n")
                    return
                case _:
                    if whole is OK:
                        self.accepted.add(request.name)
                    peer.send(whole)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_each_of_many_ends_in_one_outcome(serve: Serve, transport: Transport, share: float) -> None:
    server = FaultyServer(share)
    stub = serve(server)
    names = [f"{'gone' if number % 10 == 0 else 'there'}-{number}" for number in range(600)]
    sent = send(transport, stub.url, names, max_concurrency=16)
    assert sorted(sent.outcomes) == sorted(names)
    assert sent.scheduler.in_flight == 0
    assert len(server.faults) == 9
    for name, outcome in sent.outcomes.items():
        match outcome:
            case Delivered():
                # The status is enough, whatever becomes of the rest.
                assert name.startswith("there")
            case Gone():
                assert name.startswith("gone")
            case Failed() | Throttled():
                assert outcome.retries > 0
            case _:
                pytest.fail(f"{name}: {outcome}")
    good = sent.kinds[Delivered] + sent.kinds[Gone]
    assert good >= (600 if share < 0.5 else 580)
    lost = {
        name for name, outcome in sent.outcomes.items() if isinstance(outcome, Delivered)
    } - server.accepted
    assert len(lost) <= server.faults[4]


def test_credentials_that_expire_half_way(serve: Serve, transport: Transport) -> None:
    lock = threading.Lock()
    answered = 0
    asked = 0

    def script(peer: Peer) -> None:
        nonlocal answered
        while request := peer.request():
            with lock:
                answered += 1
                expired = answered > 100 and "x-amz-security-token: new" not in request.head
            peer.send(EXPIRED if expired else OK)

    def credentials() -> Credentials:
        nonlocal asked
        asked += 1
        return Credentials("AK", "secret", "old" if answered <= 100 else "new")

    stub = serve(script)
    sent = send(transport, stub.url, map(str, range(300)), credentials=credentials, max_concurrency=8)
    assert sent.kinds == {Delivered: 300}
    assert 0 < sum(outcome.retries for outcome in sent.outcomes.values()) <= 2 * 8
    assert asked <= 40


def test_credentials_that_cannot_be_had(serve: Serve, transport: Transport) -> None:
    def credentials() -> Credentials:
        raise LookupError("no AWS credentials")

    stub = serve(answering)
    sent = send(transport, stub.url, "abc", credentials=credentials)
    assert isinstance(sent.scheduler.error, LookupError)
    assert stub.requests == []


def stalling_after(count: int) -> Callable[[Peer], None]:
    """Answers so many and never again."""
    lock = threading.Lock()
    left = count

    def script(peer: Peer) -> None:
        nonlocal left
        while peer.request():
            with lock:
                left -= 1
                stalled = left < 0
            if stalled:
                peer.hold()
                return
            peer.send(OK)

    return script


def test_stop_waits_briefly_for_requests_in_flight(serve: Serve, transport: Transport) -> None:
    stub = serve(stalling_after(50))
    settled: list[str] = []
    sent = send(
        transport,
        stub.url,
        map(str, range(1000)),
        max_concurrency=10,
        settle=settled.append,
        stop_reason=lambda: "interrupted" if (len(settled), len(stub.requests)) == (50, 60) else "",
    )
    assert 1.5 < sent.seconds < SOON
    assert sent.kinds == {Delivered: 50, Failed: 10}
    reasons = {outcome.reason for outcome in sent.outcomes.values() if isinstance(outcome, Failed)}
    assert reasons == {"interrupted: no answer yet"}
    assert sent.scheduler.cut_short
    assert sent.scheduler.done
    assert sent.cpu_seconds < 1.0
    # The transport is as good as new.
    assert send(transport, serve(answering).url, "abc").kinds == {Delivered: 3}


def test_stop_without_requests_in_flight_is_immediate(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nwchat.delivery.scheduler.GRACE_SECONDS", 100.0)
    began = time.monotonic()
    sent = send(
        transport,
        serve(answering).url,
        map(str, range(1000)),
        rate_limiter=RateLimiter(2.0),
        stop_reason=lambda: "interrupted" if time.monotonic() - began > 0.2 else "",
    )
    assert sent.seconds < SOON
    assert sent.scheduler.cut_short


def test_deadline_ends_run_without_responses(serve: Serve, transport: Transport) -> None:
    stub = serve(stalling_after(5))
    sent = send(
        transport, stub.url, map(str, range(1000)), max_concurrency=10, deadline=time.monotonic() + 1.5
    )
    assert 2.9 < sent.seconds < SOON
    assert sent.kinds == {Delivered: 5, Failed: 10}


def test_a_stop_does_not_wait_for_connections_that_are_never_made(serve: Serve, transport: Transport) -> None:
    stub = serve(Peer.hold)
    sent = send(
        transport,
        stub.url.replace("http:", "https:"),
        map(str, range(100)),
        stop_reason=lambda: "interrupted" if stub.connections == 32 else "",
    )
    assert sent.seconds < SOON
    assert sent.kinds == {Failed: 32}


def test_first_interrupt_ends_run_with_all_outcomes(serve: Serve, transport: Transport) -> None:
    stub = serve(answering)
    with graceful_stop() as stop:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        sent = send(
            transport,
            stub.url,
            map(str, range(100_000)),
            rate_limiter=RateLimiter(200.0),
            stop_reason=lambda: stop.reason,
        )
    assert stop.reason == "timed out"
    # A run that goes on takes 500 s.
    assert 0.9 < sent.seconds < SOON
    assert 10 < sent.kinds[Delivered] < 4000
    assert sent.kinds.total() == sent.kinds[Delivered]
    assert sent.scheduler.cut_short


def test_the_second_interrupt_is_not_held_up(serve: Serve, transport: Transport) -> None:
    stub = serve(stalling_after(0))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
        interrupted.start()
        send(transport, stub.url, "abc")
    interrupted.join()
    assert time.monotonic() - began < SOON
    assert send(transport, serve(answering).url, "abc").kinds == {Delivered: 3}


class Starved:
    """A source that has nothing for a second, from when it is first asked."""

    def __init__(self) -> None:
        self._until = 0.0

    def next(self) -> Sequence[Recipient] | None:
        self._until = self._until or time.monotonic() + 1.0
        return () if time.monotonic() < self._until else None


def test_waiting_for_source_uses_no_cpu(serve: Serve, transport: Transport) -> None:
    sent = send(transport, serve(answering).url, (), source=Starved())
    assert sent.seconds >= 1
    assert sent.cpu_seconds < 0.5


def test_rate_limit_uses_no_cpu(serve: Serve, transport: Transport) -> None:
    sent = send(transport, serve(answering).url, map(str, range(40)), rate_limiter=RateLimiter(40.0))
    assert sent.kinds == {Delivered: 40}
    assert 0.7 < sent.seconds < SOON
    assert sent.cpu_seconds < 0.4


def test_waiting_for_retry_uses_no_cpu(serve: Serve, transport: Transport) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(SLOW_DOWN)

    sent = send(transport, serve(script).url, "abc", attempts=4, jitter=lambda: 1.0)
    assert sent.kinds == {Throttled: 3}
    assert sent.seconds >= 0.7
    assert sent.cpu_seconds < 0.35


def test_waiting_for_response_uses_no_cpu(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nwchat.delivery.socket_transport", "nwchatctl.net.curl_transport"):
        monkeypatch.setattr(f"{module}.RESPONSE_TIMEOUT_SECONDS", 1.0)
        monkeypatch.setattr(f"{module}.CONNECT_TIMEOUT_SECONDS", 1.0)
    sent = send(transport, serve(stalling_after(0)).url, map(str, range(20)), attempts=1, max_concurrency=20)
    assert sent.kinds == {Failed: 20}
    assert sent.seconds >= 1
    assert sent.cpu_seconds < 0.5
