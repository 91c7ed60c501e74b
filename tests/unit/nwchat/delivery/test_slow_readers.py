"""Recipients that do not read, beside an account that is throttled: API Gateway answers 429 to both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import pytest

from nwchat.aws.signing import Credentials
from nwchat.delivery.outcome import Delivered, Failed, Outcome, Throttled
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.request import Call
from nwchat.delivery.scheduler import ATTEMPTS, TIMEOUT_ATTEMPTS, RequestScheduler
from nwchat.delivery.slow_readers import MIN_REJECTIONS, ThrottleEvidence
from nwchat.delivery.tally import Counts
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Recipient
from tests.unit.nwchat.delivery.virtual_transport import Answer, Pages, make_poster, recipients

REJECTED = (429, b'{"message":"LimitExceededException"}')
ACCEPTED = (200, b"")
SLOWER = 1.2
"""How much longer the others may wait because of slow readers."""


@dataclass
class Gateway:
    """Sockets of which `slow` never read, behind an account with a limit of requests a second."""

    slow: frozenset[str] = frozenset()
    limit: float = math.inf
    clock: Callable[[], float] = lambda: 0.0
    posts: Counter[str] = field(default_factory=Counter)
    closed: set[str] = field(default_factory=set)
    _tokens: float = 50.0
    _refilled_at: float = 0.0

    def __call__(self, call: Call[Any]) -> Answer:
        name = call.item.connection_id
        if self._is_throttled():
            return REJECTED
        if not call.body:
            self.closed.add(name)
            return (204, b"")
        self.posts[name] += 1
        return REJECTED if name in self.slow else ACCEPTED

    def _is_throttled(self) -> bool:
        if self.limit == math.inf:
            return False
        now = self.clock()
        self._tokens = min(self.limit * 0.05, self._tokens + (now - self._refilled_at) * self.limit)
        self._refilled_at = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False


@dataclass
class Run:
    """One message to `size` sockets, of which a share never read."""

    size: int
    share: float = 0.0
    rate: float = 8_000.0
    limit: float = math.inf
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    served_at: float = 0.0
    """When the last of the others had the message."""

    def __post_init__(self) -> None:
        names = [str(number) for number in range(self.size)]
        slow = frozenset(Random(self.size).sample(names, round(self.size * self.share)))
        self.gateway = Gateway(slow, self.limit, lambda: transport.now)
        poster, transport = make_poster(self.gateway)
        self.rate_limiter = RateLimiter(self.rate)

        def record(recipient: Recipient, outcome: Outcome) -> None:
            self.outcomes[recipient.connection_id] = outcome
            if isinstance(outcome, Delivered):
                self.served_at = transport.now

        pages = [recipients(*names[start : start + 50]) for start in range(0, self.size, 50)]
        self.counts: Counts = poster.post_all(
            Pages(pages), b"hi", rate_limiter=self.rate_limiter, on_outcome=record
        )
        self.seconds = transport.now

    def kinds(self, *, slow: bool) -> Counter[str]:
        return Counter(
            type(outcome).__name__
            for name, outcome in self.outcomes.items()
            if (name in self.gateway.slow) is slow
        )


@pytest.mark.parametrize(("size", "rate"), [(10, 8_000.0), (250, 8_000.0), (25_000, 2_000.0)])
@pytest.mark.parametrize("share", [0.01, 0.1])
def test_slow_readers_do_not_delay_the_others(size: int, rate: float, share: float) -> None:
    undisturbed, run = Run(size, rate=rate), Run(size, share, rate=rate)
    slow = len(run.gateway.slow)
    assert run.served_at <= undisturbed.served_at * SLOWER
    assert run.seconds <= undisturbed.seconds * 1.4 + 4.0
    assert run.kinds(slow=False) == {"Delivered": size - slow}
    assert run.kinds(slow=True) == ({"BufferFull": slow} if slow else {})
    assert run.gateway.closed == run.gateway.slow
    assert run.counts == Counts(
        recipients=size,
        delivered=size - slow,
        buffer_full=slow,
        disconnected=slow,
        retries=run.counts.retries,
    )
    assert run.rate_limiter.rate == rate


def test_a_slow_reader_gets_few_attempts() -> None:
    run = Run(100, 0.01)
    (slow,) = run.gateway.slow
    assert run.gateway.posts[slow] == MIN_REJECTIONS
    assert 0.5 < run.seconds < 2.0, "the client has time to read again"


def test_a_few_others_are_enough_to_tell() -> None:
    run = Run(3, 0.34)
    (slow,) = run.gateway.slow
    assert run.gateway.closed == {slow}
    assert MIN_REJECTIONS < run.gateway.posts[slow] < ATTEMPTS


def test_a_lone_recipient_is_never_taken_for_slow() -> None:
    run = Run(1, 1.0)
    assert isinstance(run.outcomes["0"], Throttled)
    assert run.gateway.closed == set()
    assert run.gateway.posts["0"] == ATTEMPTS


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize(
    ("size", "rate", "limit"),
    [(25_000, 8_000.0, 5_000.0), (25_000, 2_000.0, 1_950.0), (5_000, 2_000.0, 300.0), (250, 8_000.0, 500.0)],
)
def test_a_throttled_account_slows_the_rate_down_and_disconnects_no_other(
    size: int, rate: float, limit: float, share: float
) -> None:
    run = Run(size, share, rate, limit)
    assert run.kinds(slow=False) == {"Delivered": size - len(run.gateway.slow)}
    assert run.gateway.closed <= run.gateway.slow
    assert run.rate_limiter.decreased_at > 0
    # Each slow reader takes some attempts. What the throttle rejects besides is a small part.
    assert run.counts.retries < size * 0.1 + 1_000 + len(run.gateway.slow) * ATTEMPTS


@pytest.mark.parametrize(("recover", "reduced"), [(True, True), (False, False)])
def test_only_rejections_that_recover_reduce_the_rate(recover: bool, reduced: bool) -> None:
    posts: Counter[str] = Counter()

    def answer(call: Call[Any]) -> Answer:
        name = call.item.connection_id
        posts[name] += 1
        first = posts[name] == 1 or not recover
        return REJECTED if call.body and int(name) % 5 == 0 and first else ACCEPTED

    poster, _ = make_poster(answer)
    rate_limiter = RateLimiter(1_000.0)
    poster.post_all(
        Pages([recipients(*map(str, range(start, start + 50))) for start in range(0, 3_000, 50)]),
        b"hi",
        rate_limiter=rate_limiter,
    )
    assert (rate_limiter.decreased_at > 0) is reduced


def test_client_that_reads_again_is_served_and_stays_connected() -> None:
    turns = iter((REJECTED, REJECTED))
    closed: list[str] = []

    def answer(call: Call[Any]) -> Answer:
        if not call.body:
            closed.append(call.item.connection_id)
        return next(turns, ACCEPTED) if call.item.connection_id == "7" else ACCEPTED

    poster, _ = make_poster(answer)
    counts = poster.post_all(Pages([recipients(*map(str, range(100)))]), b"hi")
    assert (counts, closed) == (Counts(recipients=100, delivered=100, retries=2), [])


def test_connections_are_not_closed_after_a_stop() -> None:
    run_closed: list[str] = []

    def answer(call: Call[Any]) -> Answer:
        if not call.body:
            run_closed.append(call.item.connection_id)
        return REJECTED if call.item.connection_id == "7" else ACCEPTED

    poster, _ = make_poster(answer)
    counts = poster.post_all(
        Pages([recipients(*map(str, range(100)))]),
        b"hi",
        on_progress=lambda counts: "interrupted" if counts.buffer_full else "",
    )
    assert (counts.buffer_full, counts.disconnected, run_closed) == (1, 0, [])


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_connection_that_cannot_be_closed_is_a_reason_and_no_failure(status: int) -> None:
    def answer(call: Call[Any]) -> Answer:
        if not call.body:
            return (status, b"")
        return REJECTED if call.item.connection_id == "7" else ACCEPTED

    poster, _ = make_poster(answer)
    counts = poster.post_all(Pages([recipients(*map(str, range(100)))]), b"hi")
    assert (counts.buffer_full, counts.disconnected, counts.failed, counts.refused) == (1, 0, 0, 0)
    assert counts.reasons == ((f"a connection that does not read was not closed: {status}", 1),)


def test_a_connection_that_closed_by_itself_is_no_reason() -> None:
    def answer(call: Call[Any]) -> Answer:
        if not call.body:
            return (410, b"")
        return REJECTED if call.item.connection_id == "7" else ACCEPTED

    poster, _ = make_poster(answer)
    counts = poster.post_all(Pages([recipients(*map(str, range(100)))]), b"hi")
    assert (counts.buffer_full, counts.disconnected, counts.reasons) == (1, 0, ())


# What the responses prove ------------------------------------------------------------------------


def evidence(accepted: int = 0, rejected: int = 0, recovered: int = 0) -> ThrottleEvidence:
    made = ThrottleEvidence()
    for number in range(max(accepted, rejected)):
        if number < accepted:
            made.record_accepted()
        if number < rejected:
            made.record_rejected()
    for _ in range(recovered):
        made.record_recovered()
    return made


@pytest.mark.parametrize(
    ("counts", "most", "throttled", "needed"),
    [
        ((0, 0, 0), False, False, math.inf),
        ((0, 1, 0), False, False, math.inf),
        ((0, 5, 0), True, True, math.inf),
        ((1, 1, 0), False, False, 7),
        ((9, 1, 0), False, False, 3),
        ((60, 40, 0), False, False, 6),
        ((40, 60, 0), True, True, math.inf),
        ((90, 10, 2), False, False, MIN_REJECTIONS),
        ((90, 10, 4), False, True, math.inf),
    ],
)
def test_what_the_responses_prove(
    counts: tuple[int, int, int], most: bool, throttled: bool, needed: float
) -> None:
    found = evidence(*counts)
    assert (found.most_rejected, found.throttled) == (most, throttled)
    assert found.rejections_of_full_buffer() == needed


def test_old_responses_are_forgotten() -> None:
    found = evidence(accepted=10_000)
    for _ in range(250):
        found.record_rejected()
    assert found.most_rejected
    for _ in range(500):
        found.record_accepted()
    assert not found.throttled


# Responses that do not come ------------------------------------------------------------------------


def outcome_after_timeouts(*, others_answer: bool) -> tuple[Outcome, int]:
    outcomes: dict[str, Outcome] = {}
    target = ConnectionRequests(
        "POST", "https://g.example/p", "us-east-2", lambda: Credentials("a", "b"), b"hi"
    )
    scheduler: RequestScheduler[Recipient] = RequestScheduler(
        Pages([recipients(*map(str, range(50)))]),
        target,
        lambda each, outcome: outcomes.update({each.connection_id: outcome}),
        max_concurrency=1,
        jitter=lambda: 0.0,
    )
    now, attempts = 0.0, 0
    while not scheduler.done:
        call = scheduler.next_call(now)
        if call is None:
            now += 0.1
            continue
        now += 1.0
        attempts += call.item.connection_id == "0"
        if call.item.connection_id == "0":
            if others_answer:
                # Another response comes while this request waits for its own.
                scheduler._abort_rule.record_accepted(now)
            scheduler.record_failure(call, "no answer", now, timed_out=True)
        elif others_answer:
            scheduler.record_response(call, 200, b"", now)
        else:
            scheduler.record_failure(call, "no answer", now, timed_out=True)
    return outcomes["0"], attempts


def test_recipient_that_never_answers_gets_few_attempts() -> None:
    outcome, attempts = outcome_after_timeouts(others_answer=True)
    assert (outcome, attempts) == (Failed("no answer", TIMEOUT_ATTEMPTS - 1), TIMEOUT_ATTEMPTS)


def test_timeouts_of_all_are_an_outage_and_get_all_attempts() -> None:
    outcome, attempts = outcome_after_timeouts(others_answer=False)
    assert isinstance(outcome, Failed)
    assert attempts == ATTEMPTS


def test_a_429_of_other_requests_is_always_a_throttle() -> None:
    methods: tuple[Literal["GET", "DELETE"], ...] = ("GET", "DELETE")
    for method in methods:
        target = ConnectionRequests(method, "https://g.example/p", "us-east-2", lambda: Credentials("a", "b"))
        read = target.outcome_of(429, b"", 0)
        assert not getattr(read, "or_buffer_full", True)
