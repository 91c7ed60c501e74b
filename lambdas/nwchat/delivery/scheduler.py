"""Schedules requests: order, retries, limits and outcomes; everything except the transport.

A transport (`nwchat.delivery.socket_transport`, `nwchatctl.net.curl_transport`) gets requests from
`next_call` and reports their results. Each item of the source gets exactly one outcome. Pure: times are
monotonic seconds and passed as arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import SystemRandom
from typing import Generic, TypeVar

from nwchat.delivery.abort_rule import AbortRule
from nwchat.delivery.outcome import (
    BufferFull,
    Delivered,
    Failed,
    Outcome,
    Refused,
    RetryableResponse,
    Throttled,
)
from nwchat.delivery.rate_limit import ConcurrencyLimit, RateLimiter
from nwchat.delivery.request import Call, RequestTarget, Source
from nwchat.delivery.retry_queue import RetryQueue
from nwchat.delivery.slow_readers import ThrottleEvidence
from nwchat.log import LoggableError

T = TypeVar("T")

ATTEMPTS = 9
_BASE_BACKOFF_SECONDS = 0.1
_MAX_BACKOFF_SECONDS = 5.0
MAX_CONCURRENCY = 512
SOURCE_POLL_SECONDS = 0.005
"""How soon to call a source again that had no items yet."""
GRACE_SECONDS = 1.5
"""How long requests in flight may take after a stop: less than the time that a function reserves, and short
enough after Ctrl-C."""
TIMEOUT_ATTEMPTS = 2
"""Maximum number of attempts that time out while other requests are answered: each takes a place among the
requests in flight for seconds."""
_LAST_WAIT_SECONDS = 1.0
"""The longest wait before the attempt that decides whether a buffer is full; the shortest is half of it. A
client that has lost its network for a moment reads again by then."""

_RETRY_BUDGET = 1000.0
_RETRY_CREDIT = 1.5
"""What a response adds to the retry budget, from which each failure takes 1. When more than 60 % of all
requests fail, retries stop in the end, so that they do not overload a service that is down."""


class DeliveryAborted(LoggableError):
    """All requests are refused, or nothing has been accepted for some time.

    The cause is probably the configuration, and the remaining requests would fail as well.
    """


class RequestScheduler(Generic[T]):
    """Sends a request to `target` for each item of `source`, and calls `on_outcome` once for each.

    At `deadline` no more requests start and waiting items get Failed; GRACE_SECONDS later so do requests in
    flight. `rate_limiter` limits the rate, `max_concurrency` the requests in flight. `on_outcome` and
    `source` are called in the thread that runs the transport; an error of `on_outcome` ends the run.

    Retries go before new requests, except those of connections that may have a full buffer: these wait for
    their share, and end with BufferFull after a few attempts unless the account is throttled.
    """

    def __init__(
        self,
        source: Source[T],
        target: RequestTarget[T],
        on_outcome: Callable[[T, Outcome], None],
        *,
        rate_limiter: RateLimiter | None = None,
        deadline: float = math.inf,
        attempts: int = ATTEMPTS,
        max_concurrency: int = MAX_CONCURRENCY,
        jitter: Callable[[], float] = SystemRandom().random,
    ) -> None:
        self.target = target
        self.error: Exception | None = None
        """Error of the source or of the credentials, or DeliveryAborted; no request starts after it."""
        self.cut_short = False
        """Whether a stop or the deadline came before the end of the source."""
        self.in_flight = 0
        self.rate_limiter = rate_limiter or RateLimiter()
        self._source: Source[T] | None = source
        self._on_outcome = on_outcome
        self._deadline = deadline
        self._attempts = attempts
        self._jitter = jitter
        self._concurrency = ConcurrencyLimit(max_concurrency)
        self._ready: list[T] = []
        self._retries: RetryQueue[Call[T]] = RetryQueue()
        self._evidence = ThrottleEvidence()
        self._retry_budget = _RETRY_BUDGET
        self._grace_ends_at = math.inf
        self._abort_rule = AbortRule()
        self.stop_reason = ""
        """Why no more requests start; "" while they do."""

    @property
    def done(self) -> bool:
        """Whether every item has its outcome."""
        return not (self.in_flight or self._ready or self._retries or self._source is not None)

    def stop(self, reason: str) -> None:
        """Start no more requests. Items that wait for a retry get Failed with `reason`."""
        self.stop_reason = self.stop_reason or reason
        self.cut_short = self.cut_short or self._source is not None or bool(self._ready)
        self._source, self._ready = None, []
        for call in self._retries.drain():
            self._on_outcome(call.item, Failed(reason, call.retries))

    def past_grace(self, now: float) -> bool:
        """Whether the grace period is over and requests in flight must be recorded as failures.

        Called several times a second; also stops the scheduler at the deadline, and in an outage.
        """
        if not self.stop_reason:
            self._abort_if_out(now)
        if not self.stop_reason:
            if now < self._deadline:
                return False
            self.stop("out of time")
        if self._grace_ends_at == math.inf:
            self._grace_ends_at = min(now, self._deadline) + GRACE_SECONDS
        return now >= self._grace_ends_at

    def next_call(self, now: float) -> Call[T] | None:
        """The next request to send now, if any.

        Each one must be followed by `record_response` or `record_failure`.
        """
        if now >= self._deadline and not self.stop_reason:
            self.stop("out of time")
        if self.in_flight >= self._concurrency.current:
            return None
        while call := self._due_call(now):
            try:
                call.signed, call.body = self.target.request(call.item)
            except ValueError as error:
                self._on_outcome(call.item, Refused(0, str(error), call.retries))
            except Exception as error:
                # Without credentials no request can be sent.
                self._on_outcome(call.item, Failed(type(error).__name__, call.retries))
                self._stop_with_error(error)
            else:
                call.sent_at = now
                self.in_flight += 1
                self._abort_rule.record_sent(now)
                return call
        if not (self.in_flight or self._ready or self._retries):
            self._abort_rule.record_idle(now)
        return None

    def _due_call(self, now: float) -> Call[T] | None:
        take = self._due_retry(now) if self._retries else None
        if take is None and not self._ready and not self._refill():
            return None
        if not self.rate_limiter.try_acquire(now):
            return None
        if take is not None:
            return take()
        self._retries.new_since_rejected += 1
        return Call(self._ready.pop())

    def _due_retry(self, now: float) -> Callable[[], Call[T]] | None:
        """Takes the retry that goes before new requests; None when there is none."""
        retries = self._retries
        if retries.is_due(now):
            return retries.pop
        if not retries.is_rejected_due(now):
            return None
        share = retries.has_share() or self._evidence.throttled
        return retries.pop_rejected if share or not (self._ready or self._refill()) else None

    def wait_seconds(self, now: float) -> float:
        """Seconds, at most one, until `next_call` may return a request without a response arriving first."""
        pause = 1.0
        if self.in_flight < self._concurrency.current:
            if self._retries:
                pause = min(pause, max(self._retries.next_due() - now, 0.0))
            if self._ready:
                pause = 0.0
            elif self._source is not None:
                pause = min(pause, SOURCE_POLL_SECONDS)
            if pause < 1.0:
                pause = max(pause, self.rate_limiter.delay(now))
        if not self.stop_reason:
            pause = min(pause, self._deadline - now)
        return max(min(pause, 1.0), 0.0)

    def record_response(self, call: Call[T], status: int, body: bytes, now: float) -> None:
        """Record a complete response."""
        read = self.target.outcome_of(status, body, call.retries)
        if isinstance(read, RetryableResponse):
            if read.renew:
                self.target.renew()
            self._retry(call, read, now)
            return
        self.in_flight -= 1
        if self._retry_budget < _RETRY_BUDGET:
            self._retry_budget += _RETRY_CREDIT
        self.rate_limiter.record_response(now, throttled=self._record_accepted(call, read))
        self._concurrency.record_response(call.sent_at, now, self.rate_limiter.rate, type(read))
        self._on_outcome(call.item, read)
        if type(read) is not Refused:
            self._abort_rule.record_accepted(now)
        elif reason := self._abort_rule.record_refusal(read.reason):
            self._abort(reason)

    def _record_accepted(self, call: Call[T], outcome: Outcome) -> bool:
        """Whether the response says that the rate is too high: a connection that accepts what it rejected
        before had no full buffer. Late ones say nothing about the present rate."""
        if not call.retries:
            self._evidence.record_accepted()
        elif call.rejections == 1 and type(outcome) is Delivered:
            self._evidence.record_recovered()
            return call.rejected_at > self.rate_limiter.decreased_at
        return False

    def record_failure(self, call: Call[T], reason: str, now: float, *, timed_out: bool = False) -> None:
        """Record that there was no complete response; `timed_out`: not in time."""
        call.timeouts += timed_out
        self._retry(call, RetryableResponse(reason), now)

    def _retry(self, call: Call[T], why: RetryableResponse, now: float) -> None:
        self.in_flight -= 1
        throttled, needed = why.throttled, math.inf
        if why.or_buffer_full:
            self._record_rejection(call, now)
            throttled, needed = self._evidence.most_rejected, self._evidence.rejections_of_full_buffer()
        else:
            call.rejections = 0
        self.rate_limiter.record_response(now, throttled=throttled, failed=not why.throttled)
        if call.rejections >= needed:
            self._on_outcome(call.item, BufferFull(why.reason, call.retries))
            return
        # The first retry with new credentials does not count: all requests signed with the old ones need one.
        # Neither does a full buffer, which is no overload of the service.
        if not (why.renew and call.retries == 0) and (throttled or not why.or_buffer_full):
            self._retry_budget -= 1
        self._abort_rule.record_attempt(why.reason, now)
        wait = self._backoff_seconds(call, needed)
        if self._is_hopeless(call, now + wait):
            self._fail(call, why, now)
            return
        call.retries += 1
        self._retries.push(call, now + wait, rejected=why.or_buffer_full)
        self._abort_if_out(now)

    def _backoff_seconds(self, call: Call[T], needed: float) -> float:
        """How long the call waits for its next attempt, which may be the last of `needed` rejections."""
        if call.rejections + 1 >= needed:
            return _LAST_WAIT_SECONDS * (1 + self._jitter()) / 2
        longest: float = min(_MAX_BACKOFF_SECONDS, _BASE_BACKOFF_SECONDS * 2**call.retries)
        return self._jitter() * longest

    def _record_rejection(self, call: Call[T], now: float) -> None:
        if not call.retries:
            self._evidence.record_rejected()
        call.rejections += 1
        call.rejected_at = now

    def _is_hopeless(self, call: Call[T], retry_at: float) -> bool:
        """Whether the call gets no further attempt."""
        rule = self._abort_rule
        unanswered = call.timeouts >= TIMEOUT_ATTEMPTS and rule.accepted and rule.accepted_at > call.sent_at
        return (
            call.retries + 1 >= self._attempts
            or self._retry_budget <= 0
            or retry_at >= self._deadline
            or unanswered
            or bool(self.stop_reason)
        )

    def _fail(self, call: Call[T], why: RetryableResponse, now: float) -> None:
        self._retry_budget = max(self._retry_budget, 0.0)
        kind = Throttled if why.throttled else Failed
        self._on_outcome(call.item, kind(why.reason, call.retries))
        if reason := self._abort_rule.record_failure(why, call.retries):
            self._abort(reason)
        self._abort_if_out(now)

    def _abort_if_out(self, now: float) -> None:
        """Aborts the run if nothing has been accepted for too long, and requests are sent all the time."""
        is_sending = bool(self.in_flight or self._retries) and not self.stop_reason
        if is_sending and (reason := self._abort_rule.outage(now)):
            self._stop_with_error(DeliveryAborted(reason))

    def _abort(self, reason: str) -> None:
        if self._source is not None:
            self._stop_with_error(DeliveryAborted(reason))

    def _stop_with_error(self, error: Exception) -> None:
        self.error = self.error or error
        aborted = isinstance(error, DeliveryAborted)
        self.stop("given up with the others" if aborted else f"broken off: {type(error).__name__}")

    def _refill(self) -> bool:
        if self._source is None:
            return False
        try:
            found = self._source.next()
        except Exception as error:
            self.error, found = self.error or error, None
        if found is None:
            self._source = None
            return False
        self._ready = list(reversed(found))
        return bool(found)
