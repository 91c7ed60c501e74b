from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.aws.signing import Credentials
from nwchat.delivery.abort_rule import ABORT_AFTER
from nwchat.delivery.outcome import Delivered, Failed, Gone, Open, Outcome, Refused, Throttled
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import GRACE_SECONDS, SOURCE_POLL_SECONDS, DeliveryAborted, RequestScheduler
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Recipient
from tests.unit.nwchat.delivery.virtual_transport import Answer, Pages, VirtualTransport, recipients

EXPIRED = (403, b'{"message":"The security token included in the request is expired"}')
FORBIDDEN = (403, b'{"message":"Forbidden"}')


class SchedulerRun:
    """One scheduler, and the outcome of each recipient."""

    def __init__(
        self,
        pages: Sequence[Sequence[Recipient] | Exception],
        credentials: Any = lambda: Credentials("AK", "secret"),
        **options: Any,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        target = ConnectionRequests("POST", "https://gateway.example/prod", "us-east-2", credentials, b"hi")
        self.source = Pages(pages)
        self.scheduler: RequestScheduler[Recipient] = RequestScheduler(
            self.source, target, self.settle, **options
        )

    def settle(self, recipient: Recipient, outcome: Outcome) -> None:
        assert recipient.connection_id not in self.outcomes, "told twice"
        self.outcomes[recipient.connection_id] = outcome

    def take_all(self, now: float) -> list[Call[Recipient]]:
        calls = []
        while (call := self.scheduler.next_call(now)) is not None:
            calls.append(call)
        return calls

    def take(self, now: float) -> Call[Recipient]:
        call = self.scheduler.next_call(now)
        assert call is not None
        return call


@pytest.mark.parametrize(
    ("method", "answer", "outcome"),
    [
        ("POST", (200, b""), Delivered()),
        ("POST", (204, b""), Delivered()),
        ("DELETE", (204, b""), Delivered()),
        ("GET", (200, b'{"connectedAt":"x"}'), Open(b'{"connectedAt":"x"}')),
        ("POST", (410, b""), Gone()),
        ("GET", (410, b'{"message":"x"}'), Gone()),
        ("POST", (403, b'{"message":"Forbidden"}'), Refused(403, "403 Forbidden")),
        ("POST", (403, b'{"Message":"not authorized"}'), Refused(403, "403 not authorized")),
        ("POST", (403, b""), Refused(403, "403")),
        ("POST", (403, b"<html>"), Refused(403, "403")),
        ("POST", (413, b'{"__type":"a#Large","message":"x"}'), Refused(413, "413 Large: x")),
        ("POST", (400, b"[" * 10_000), Refused(400, "400 " + "[" * 300)),
        ("POST", (302, b"\xff"), Refused(302, "302 \ufffd")),
        ("POST", (501, b""), Refused(501, "501")),
    ],
)
def test_what_an_answer_means(method: Any, answer: tuple[int, bytes], outcome: Outcome) -> None:
    outcomes: list[Outcome] = []
    target = ConnectionRequests(
        method, "https://g.example/p", "us-east-2", lambda: Credentials("a", "b"), b"x" * (method == "POST")
    )
    scheduler = RequestScheduler(Pages([recipients("a")]), target, lambda _, each: outcomes.append(each))
    call = scheduler.next_call(0.0)
    assert call is not None
    scheduler.record_response(call, *answer, 1.0)
    assert scheduler.next_call(1.0) is None
    assert (outcomes, scheduler.done) == ([outcome], True)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((429, b""), Throttled("429", 2)),
        ((429, b'{"message":"Too Many Requests"}'), Throttled("429 Too Many Requests", 2)),
        ((400, b'{"__type":"x#ThrottlingException"}'), Throttled("400 ThrottlingException", 2)),
        ((408, b""), Failed("408", 2)),
        ((500, b"{}"), Failed("500", 2)),
        ((503, b"<html>"), Failed("503", 2)),
        ("reset by peer", Failed("reset by peer", 2)),
    ],
)
def test_transient_failures_are_retried_with_backoff(answer: Answer, outcome: Outcome) -> None:
    run = SchedulerRun([recipients("a")], attempts=3, jitter=lambda: 1.0)
    transport = VirtualTransport(lambda host, call: answer, seconds=1.0)
    transport.run(run.scheduler)
    assert run.outcomes == {"a": outcome}
    assert transport.now == pytest.approx(3 * 1.0 + 0.1 + 0.2)


def test_waits_have_jitter_and_a_ceiling() -> None:
    run = SchedulerRun([recipients("a")], attempts=99, jitter=lambda: 0.5)
    now = 0.0
    for wait in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5):
        run.scheduler.record_failure(run.take(now), "", now)
        assert run.scheduler.next_call(now + wait - 0.001) is None
        assert run.scheduler.wait_seconds(now) == pytest.approx(min(wait, 1.0))
        now += wait + 0.001


def test_a_retry_goes_before_the_rest() -> None:
    run = SchedulerRun([recipients(*"abc")], max_concurrency=1, jitter=lambda: 0.0)
    run.scheduler.record_failure(run.take(0), "", 0)
    assert [run.take(1).item.connection_id] == ["a"]


def test_requests_in_flight_are_bounded() -> None:
    run = SchedulerRun([recipients(*map(str, range(100)))], max_concurrency=7)
    assert len(run.take_all(0)) == 7
    assert run.scheduler.wait_seconds(0) == 1.0


def test_invalid_id_is_refused_without_affecting_others() -> None:
    run = SchedulerRun([recipients("a", "..", "b")])
    assert [call.item.connection_id for call in run.take_all(0)] == ["a", "b"]
    assert run.outcomes == {"..": Refused(0, "'..' is no connection id")}


def test_no_request_starts_without_credentials() -> None:
    def no_credentials() -> Credentials:
        raise LookupError("no AWS credentials")

    run = SchedulerRun([recipients(*"abc"), recipients("d")], no_credentials)
    VirtualTransport(lambda host, call: (200, b"")).run(run.scheduler)
    assert isinstance(run.scheduler.error, LookupError)
    assert run.outcomes == {"a": Failed("LookupError")}
    assert run.scheduler.cut_short


def test_expired_credentials_are_read_again() -> None:
    asked: list[int] = []

    def credentials() -> Credentials:
        asked.append(1)
        return Credentials("AK", "secret", f"token {len(asked)}")

    def answer(host: str, call: Call[Any]) -> Answer:
        stale = any(line.endswith("token 1") for line in call.signed.headers)
        return EXPIRED if stale else (200, b"")

    run = SchedulerRun([recipients(*map(str, range(500)))], credentials)
    VirtualTransport(answer).run(run.scheduler)
    assert set(map(type, run.outcomes.values())) == {Delivered}
    assert len(run.outcomes) == 500
    assert 2 <= len(asked) < 500


def test_deadline_is_checked_while_requests_are_in_flight() -> None:
    run = SchedulerRun([recipients(*"abc")], max_concurrency=1, deadline=5.0)
    call = run.take(0)
    assert run.scheduler.wait_seconds(4.5) == 0.5
    assert not run.scheduler.past_grace(4.9)
    assert run.scheduler.next_call(5.0) is None
    assert (run.scheduler.stop_reason, run.scheduler.cut_short) == ("out of time", True)
    assert not run.scheduler.past_grace(5.0 + GRACE_SECONDS - 0.1)
    assert run.scheduler.past_grace(5.0 + GRACE_SECONDS)
    run.scheduler.record_failure(call, "no answer yet", 6.5)
    assert run.outcomes == {"a": Failed("no answer yet")}
    assert run.scheduler.done


def test_stop_waits_briefly_for_requests_in_flight() -> None:
    run = SchedulerRun([recipients(*"abcd")], max_concurrency=3, jitter=lambda: 1.0)
    a, b, c = run.take_all(0)
    run.scheduler.record_failure(a, "reset", 0)
    run.scheduler.stop("interrupted")
    assert run.outcomes == {"a": Failed("interrupted", 1)}
    assert not run.scheduler.past_grace(1.0)
    run.scheduler.record_response(b, 200, b"", 1.0)
    run.scheduler.record_response(c, 503, b"", 1.0)
    assert run.outcomes == {"a": Failed("interrupted", 1), "b": Delivered(), "c": Failed("503")}
    assert run.scheduler.done
    assert run.scheduler.cut_short


def test_stop_after_last_request_started_is_not_cut_short() -> None:
    run = SchedulerRun([recipients("a")])
    call = run.take(0)
    assert run.scheduler.next_call(0) is None
    run.scheduler.stop("interrupted")
    run.scheduler.record_response(call, 200, b"", 0)
    assert (run.scheduler.cut_short, run.outcomes) == (False, {"a": Delivered()})


def test_error_of_source_is_raised_after_its_recipients() -> None:
    run = SchedulerRun([recipients(*"ab"), OSError("table away")])
    VirtualTransport(lambda host, call: (200, b"")).run(run.scheduler)
    assert run.outcomes == {"a": Delivered(), "b": Delivered()}
    assert str(run.scheduler.error) == "table away"


@pytest.mark.parametrize(
    ("pages", "pause"),
    [([recipients("a")], 0.0), ([(), ()], SOURCE_POLL_SECONDS), ([()], SOURCE_POLL_SECONDS)],
)
def test_how_long_to_wait_for_the_source(pages: list[Sequence[Recipient]], pause: float) -> None:
    run = SchedulerRun([*pages, ()])
    if pages[0]:
        run.scheduler._refill()
    assert run.scheduler.wait_seconds(0) == pause


@given(st.integers(1, 5), st.floats(0, 10), st.floats(0.5, 500))
def test_after_the_pause_there_is_something_to_do(width: int, deadline: float, rate: float) -> None:
    """No busy loop: of two `take`s in a row that give nothing, with the pause between them, none is idle."""
    run = SchedulerRun(
        [recipients(*map(str, range(20)))],
        max_concurrency=width,
        rate_limiter=RateLimiter(rate),
        deadline=deadline,
    )
    now, idle = 0.0, 0
    for _ in range(400):
        call = run.scheduler.next_call(now)
        if call is not None:
            idle = 0
            run.scheduler.record_response(call, 200, b"", now)
        if run.scheduler.done:
            break
        if call is None:
            pause = run.scheduler.wait_seconds(now)
            now += max(pause, 0.000_001)
            idle += pause < 0.9
            assert idle <= 2
    assert run.scheduler.done


def test_delivery_is_aborted_when_every_request_is_refused() -> None:
    run = SchedulerRun([recipients(*(str(page * 100 + one) for one in range(100))) for page in range(1000)])
    asked = Counter[str]()

    def answer(host: str, call: Call[Any]) -> Answer:
        asked[call.item.connection_id] += 1
        return FORBIDDEN

    VirtualTransport(answer).run(run.scheduler)
    assert isinstance(run.scheduler.error, DeliveryAborted)
    assert str(run.scheduler.error) == "the first 200 were all refused: 403 Forbidden"
    assert run.scheduler.cut_short
    assert ABORT_AFTER <= len(asked) == len(run.outcomes) < ABORT_AFTER + 512
    assert set(map(type, run.outcomes.values())) == {Refused}


def test_one_success_prevents_abort() -> None:
    run = SchedulerRun([recipients(*(str(page * 100 + one) for one in range(100))) for page in range(50)])
    VirtualTransport(lambda host, call: (410, b"") if call.item.connection_id == "150" else FORBIDDEN).run(
        run.scheduler
    )
    assert (len(run.outcomes), run.scheduler.error) == (5000, None)


def test_small_room_is_not_aborted() -> None:
    run = SchedulerRun([recipients(*map(str, range(ABORT_AFTER + 5)))])
    VirtualTransport(lambda host, call: FORBIDDEN).run(run.scheduler)
    assert len(run.outcomes) == ABORT_AFTER + 5


def test_credentials_that_stay_expired_end_it_half_way() -> None:
    run = SchedulerRun([recipients(*(str(page * 100 + one) for one in range(100))) for page in range(1000)])
    calls = 0

    def answer(host: str, call: Call[Any]) -> Answer:
        nonlocal calls
        calls += 1
        return (200, b"") if calls < 1000 else EXPIRED

    VirtualTransport(answer).run(run.scheduler)
    assert isinstance(run.scheduler.error, DeliveryAborted)
    assert calls < 20_000
    assert Counter(type(each) for each in run.outcomes.values())[Delivered] == 999


def test_delivery_is_aborted_when_service_is_down() -> None:
    """Each is tried once in the end, fewer and fewer a second, and then no more."""
    run = SchedulerRun([recipients(*(str(page * 100 + one) for one in range(100))) for page in range(1000)])
    calls = 0

    def answer(host: str, call: Call[Any]) -> Answer:
        nonlocal calls
        calls += 1
        return 503, b""

    transport = VirtualTransport(answer)
    transport.run(run.scheduler)
    assert isinstance(run.scheduler.error, DeliveryAborted)
    assert str(run.scheduler.error) == "nothing was accepted for 30 s: 503"
    assert 30 < transport.now < 35
    assert 5_000 < len(run.outcomes) < 20_000
    assert calls < 20_000
    assert run.scheduler.cut_short


@pytest.mark.parametrize("size", [1, 20, 300])
@pytest.mark.parametrize("seconds", [0.001, 7.0], ids=["refused", "unanswered"])
def test_room_of_any_size_is_given_up_within_outage_seconds(size: int, seconds: float) -> None:
    """At 20 posts a second, after five good seconds; each attempt takes `seconds` to fail."""
    pages = [recipients(*map(str, range(100))), recipients(*(f"late{each}" for each in range(size)))]
    run = SchedulerRun(pages, rate_limiter=RateLimiter(20))
    accepted_at = 0.0

    def answer(host: str, call: Call[Any]) -> Answer:
        nonlocal accepted_at
        if call.item.connection_id.startswith("late"):
            transport.seconds = seconds
            return "no"
        accepted_at = transport.now
        return 200, b""

    transport = VirtualTransport(answer)
    transport.run(run.scheduler)
    kinds = Counter(map(type, run.outcomes.values()))
    assert kinds[Delivered] == 100
    assert kinds[Failed] == size if size == 1 else 0 < kinds[Failed] < size
    assert transport.now - accepted_at < 30 + 2 * seconds + 1
    if size > 1:
        assert str(run.scheduler.error) == "nothing was accepted for 30 s: no"
        assert run.scheduler.cut_short


def test_a_pause_of_the_source_is_no_outage() -> None:
    run = SchedulerRun([recipients("a"), recipients("b", "c")])
    run.scheduler.record_response(run.take(0.0), 200, b"", 0.1)
    run.scheduler.record_failure(run.take(60.0), "reset", 60.1)
    assert not run.scheduler.past_grace(61.0)
    assert (run.scheduler.error, run.scheduler.stop_reason) == (None, "")


def test_a_pause_of_the_source_after_a_failure_is_no_outage() -> None:
    """Only the time counts in which requests are sent."""
    run = SchedulerRun([recipients("a"), [], [], recipients("b")], attempts=1)
    run.scheduler.record_failure(run.take(0.0), "reset", 10.0)
    assert run.take_all(11.0) == run.take_all(30.0) == []
    run.take(71.0)
    assert not run.scheduler.past_grace(99.5)
    assert (run.scheduler.error, run.scheduler.stop_reason) == (None, "")
    assert not run.scheduler.past_grace(100.5)
    assert str(run.scheduler.error) == "nothing was accepted for 30 s: reset"


def test_few_recipients_are_lost_when_service_recovers() -> None:
    """Of 50,000 while it is away for ten seconds, at 10,000 a second."""
    run = SchedulerRun([recipients(*(str(page * 100 + one) for one in range(100))) for page in range(500)])
    transport = VirtualTransport(lambda host, call: (503, b"") if 1 < transport.now < 11 else (200, b""))
    transport.run(run.scheduler)
    kinds = Counter(map(type, run.outcomes.values()))
    assert kinds.total() == 50_000
    assert kinds[Failed] < 15_000


def test_no_recipient_is_lost_when_half_of_all_requests_fail() -> None:
    run = SchedulerRun([recipients(*map(str, range(5000)))])
    turn = iter(range(10**9))
    VirtualTransport(lambda host, call: (200, b"") if next(turn) % 2 else "reset").run(run.scheduler)
    kinds = Counter(map(type, run.outcomes.values()))
    # Of 5,000, ten are unlucky nine times.
    assert kinds.total() == 5000
    assert kinds[Delivered] > 4900


ANSWERS: list[Answer] = [
    (200, b""),
    (200, b""),
    (410, b""),
    FORBIDDEN,
    (429, b""),
    (503, b""),
    EXPIRED,
    "reset by peer",
]


@given(
    random=st.integers().map(Random),
    pages=st.lists(st.integers(0, 4), max_size=8),
    fails=st.booleans(),
    width=st.integers(1, 4),
    deadline=st.sampled_from([math.inf, 0.0, 0.5, 3.0]),
    stop_at=st.sampled_from([math.inf, 0.0, 0.2, 2.0]),
    rate=st.sampled_from([math.inf, 1.0, 100.0]),
    jitter=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_whatever_comes_each_that_was_taken_ends_in_one_outcome(
    random: Random,
    pages: list[int],
    fails: bool,
    width: int,
    deadline: float,
    stop_at: float,
    rate: float,
    jitter: float,
) -> None:
    given_out = iter(range(1000))
    full: list[Sequence[Recipient] | Exception] = [
        recipients(*(str(next(given_out)) for _ in range(size))) for size in pages
    ]
    if fails:
        full.append(OSError("table away"))
    run = SchedulerRun(
        full, max_concurrency=width, deadline=deadline, rate_limiter=RateLimiter(rate), jitter=lambda: jitter
    )
    scheduler, source = run.scheduler, run.source
    taken: set[str] = set()
    out: list[Call[Recipient]] = []
    now = 0.0
    for _ in range(5000):
        if scheduler.done:
            break
        if now >= stop_at and not scheduler.stop_reason:
            scheduler.stop("interrupted")
        if (call := scheduler.next_call(now)) is not None:
            assert now < min(deadline, math.inf)
            assert not scheduler.stop_reason
            taken.add(call.item.connection_id)
            out.append(call)
            continue
        assert scheduler.in_flight == len(out) <= width
        if scheduler.past_grace(now):
            while out:
                scheduler.record_failure(out.pop(), "no answer yet", now)
        elif out and random.random() < 0.75:
            call = out.pop(random.randrange(len(out)))
            match random.choice(ANSWERS):
                case str(reason):
                    scheduler.record_failure(call, reason, now)
                case (status, body):
                    scheduler.record_response(call, status, body, now)
        now += random.choice([0.0, 0.01, 0.3, 1.0])
    assert scheduler.done
    assert scheduler.in_flight == 0
    assert taken == set(run.outcomes)
    given_by_source = sum(len(each) for each in full[: source.taken] if not isinstance(each, Exception))
    if not scheduler.cut_short:
        assert len(run.outcomes) == given_by_source == sum(pages)
    else:
        assert scheduler.stop_reason
