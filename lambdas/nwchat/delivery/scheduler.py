"""Schedules requests: order, retries, limits and outcomes; everything except the transport.

A transport (`nwchat.delivery.asyncio_transport`, `nwchatctl.net.curl_transport`) gets requests from
`next_call` and reports their results. Each item of the source gets exactly one outcome. Pure: times are
monotonic seconds and passed as arguments.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Sequence
from itertools import count
from typing import Generic, Protocol, TypeVar

from nwchat.delivery.outcome import Failed, Outcome, Refused, RetryableResponse, Throttled
from nwchat.delivery.rate_limit import ConcurrencyLimit, RateLimiter
from nwchat.delivery.signing import SignedRequest
from nwchat.log import LoggableError

T = TypeVar("T")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

ATTEMPTS = 9
_BASE_BACKOFF_SECONDS = 0.1
_MAX_BACKOFF_SECONDS = 5.0
MAX_CONCURRENCY = 512
SOURCE_POLL_SECONDS = 0.005
"""How soon to call a source again that had no items yet."""
GRACE_SECONDS = 1.5
"""How long requests in flight may take after a stop: less than the time that a function reserves, and short
enough after Ctrl-C."""
ABORT_AFTER = 200
"""After this many refusals without any success, the run is aborted."""
OUTAGE_SECONDS = 30.0
"""How long all requests may fail before the run is aborted."""

_RETRY_BUDGET = 1000.0
_RETRY_CREDIT = 1.5
"""What a response adds to the retry budget, from which each failure takes 1. When more than 60 % of all
requests fail, retries stop in the end, so that they do not overload a service that is down."""


class DeliveryAborted(LoggableError):
    """All requests are refused, or nothing has been accepted for some time.

    The cause is probably the configuration, and the remaining requests would fail as well.
    """


class Source(Protocol[Out_co]):
    """Where the items come from."""

    def next(self) -> Sequence[Out_co] | None:
        """The next items; empty when there are none yet, None at the end. May raise.

        Must not block: requests in flight are processed by the same thread.
        """


class RequestTarget(Protocol[In_contra]):
    """Where the requests go, and how their responses are interpreted."""

    method: str
    scheme: str
    host: str
    headers: tuple[str, ...]
    """`Name: value`, the same for all requests, not signed."""

    def request(self, item: In_contra) -> tuple[SignedRequest, bytes]:
        """The signed request about `item`, and its body. Raises ValueError when there can be none."""

    def outcome_of(self, status: int, body: bytes, retries: int) -> Outcome | RetryableResponse:
        """What a response means."""

    def renew(self) -> None:
        """Get new credentials for the next request."""


class Call(Generic[T]):
    """One item and its current request.

    `signed`, `body` and `sent_at` (monotonic seconds) belong to the latest attempt.
    """

    __slots__ = ("body", "item", "retries", "sent_at", "signed")

    signed: SignedRequest
    body: bytes

    def __init__(self, item: T) -> None:
        self.item = item
        self.retries = 0
        self.sent_at = 0.0


class RequestScheduler(Generic[T]):
    """Sends a request to `target` for each item of `source`, and calls `on_outcome` once for each.

    At `deadline` no more requests start and waiting items get Failed; GRACE_SECONDS later so do requests in
    flight. `rate_limiter` limits the rate, `max_concurrency` the requests in flight. `on_outcome` and
    `source` are called in the thread that runs the transport; an error of `on_outcome` ends the run.
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
        jitter: Callable[[], float] = random.random,
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
        self._waiting: list[tuple[float, int, Call[T]]] = []
        self._numbers = count()
        self._retry_budget = _RETRY_BUDGET
        self._grace_ends_at = math.inf
        self._accepted_at = -math.inf
        """When a request was last accepted; until then, when the first was sent."""
        self._accepted = False
        self._refusals = 0
        self._credential_failures = 0
        self._failures = 0
        """Consecutive failures, as `_credential_failures`."""
        self.stop_reason = ""
        """Why no more requests start; "" while they do."""

    @property
    def done(self) -> bool:
        """Whether every item has its outcome."""
        return not (self.in_flight or self._ready or self._waiting or self._source is not None)

    def stop(self, reason: str) -> None:
        """Start no more requests. Items that wait for a retry get Failed with `reason`."""
        self.stop_reason = self.stop_reason or reason
        self.cut_short = self.cut_short or self._source is not None or bool(self._ready)
        self._source, self._ready = None, []
        while self._waiting:
            call = self._waiting.pop()[2]
            self._on_outcome(call.item, Failed(reason, call.retries))

    def past_grace(self, now: float) -> bool:
        """Whether the grace period is over and requests in flight must be recorded as failures.

        Called several times a second; also stops the scheduler at the deadline.
        """
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
                if self._accepted_at == -math.inf:
                    self._accepted_at = now
                return call
        return None

    def _due_call(self, now: float) -> Call[T] | None:
        due = bool(self._waiting) and self._waiting[0][0] <= now
        if not due and not self._ready and not self._refill():
            return None
        if not self.rate_limiter.try_acquire(now):
            return None
        return heapq.heappop(self._waiting)[2] if due else Call(self._ready.pop())

    def wait_seconds(self, now: float) -> float:
        """Seconds, at most one, until `next_call` may return a request without a response arriving first."""
        pause = 1.0
        if self.in_flight < self._concurrency.current:
            if self._waiting:
                pause = max(self._waiting[0][0] - now, 0.0)
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
        self.rate_limiter.record_response(now)
        self._concurrency.record_response(call.sent_at, now, self.rate_limiter.rate, type(read))
        self._on_outcome(call.item, read)
        if type(read) is Refused:
            if not self._accepted:
                self._refusals += 1
                if self._refusals >= ABORT_AFTER:
                    self._abort(f"the first {self._refusals} were all refused: {read.reason}")
        else:
            self._accepted, self._accepted_at = True, now
            self._credential_failures = self._failures = 0

    def record_failure(self, call: Call[T], reason: str, now: float) -> None:
        """Record that there was no complete response."""
        self._retry(call, RetryableResponse(reason), now)

    def _retry(self, call: Call[T], why: RetryableResponse, now: float) -> None:
        self.in_flight -= 1
        self.rate_limiter.record_response(now, throttled=why.throttled, failed=not why.throttled)
        # The first retry with new credentials does not count: all requests signed with the old ones need one.
        if not (why.renew and call.retries == 0):
            self._retry_budget -= 1
        wait = self._jitter() * min(_MAX_BACKOFF_SECONDS, _BASE_BACKOFF_SECONDS * 2**call.retries)
        hopeless = (
            call.retries + 1 >= self._attempts or self._retry_budget <= 0 or now + wait >= self._deadline
        )
        if hopeless or self.stop_reason:
            self._retry_budget = max(self._retry_budget, 0.0)
            kind = Throttled if why.throttled else Failed
            self._on_outcome(call.item, kind(why.reason, call.retries))
            self._count_failure(why, call.retries, now)
            return
        call.retries += 1
        heapq.heappush(self._waiting, (now + wait, next(self._numbers), call))

    def _count_failure(self, why: RetryableResponse, retries: int, now: float) -> None:
        """Count a final failure, and abort after too many."""
        self._failures += 1
        self._credential_failures += why.renew and retries > 0
        if self._credential_failures >= ABORT_AFTER:
            self._abort(f"the last {self._credential_failures} were all refused: {why.reason}")
        elif self._failures >= ABORT_AFTER and now - self._accepted_at > OUTAGE_SECONDS:
            self._abort(f"nothing was accepted for {OUTAGE_SECONDS:g} s: {why.reason}")

    def _abort(self, reason: str) -> None:
        if self._source is not None:
            self._stop_with_error(DeliveryAborted(reason))

    def _stop_with_error(self, error: Exception) -> None:
        self.error = self.error or error
        self.stop(f"broken off: {type(error).__name__}")

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
