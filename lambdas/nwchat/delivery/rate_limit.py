"""Rate and concurrency limits: the rate backs off and recovers, concurrency follows latency.

Pure: times are monotonic seconds and passed as arguments.
"""

from __future__ import annotations

import math

_WINDOW_SECONDS = 0.25
"""How long responses are counted before the rate is adjusted..."""
_MIN_RESPONSES = 50
_MAX_WINDOW_SECONDS = 1.0
"""...or with fewer than `_MIN_RESPONSES`, up to this long."""
_MAX_THROTTLED_SHARE = 0.02
"""This share of throttled responses, plus one, does not reduce the rate: API Gateway also answers 429 for a
single client that reads too slowly, which must not slow down the others."""
_OUTAGE_SHARE = 0.8
"""A larger share of failures means that the service or the network is down, so the rate is reduced."""
_DECREASE = 0.6
_INCREASE = 0.05
"""Share of the highest rate that is added each second: full recovery takes twenty seconds."""
_MIN_RATE_SHARE = 0.02
_BURST_SECONDS = 0.05

_MAX_USEFUL_RATE = 12_000.0
"""Higher rates need no concurrency: API Gateway allows an account 10,000 requests a second."""
_HEADROOM = 1.5
_MIN_CONCURRENCY = 16
_INITIAL_CONCURRENCY = 32
_CONCURRENCY_STEP = 0.5
_LATENCY_WINDOW_SECONDS = 2.0
_MIN_LATENCY_SAMPLES = 8
"""Number of responses of a kind that make its latency reliable: fewer may all have been delayed."""


class RateLimiter:
    """Token bucket with additive increase and multiplicative decrease (AIMD).

    `max_rate` is in requests a second; `math.inf` means no limit.
    """

    def __init__(self, max_rate: float = math.inf) -> None:
        self.max_rate = max_rate
        self.rate = max_rate
        self._ceiling = max_rate if max_rate != math.inf else _MAX_USEFUL_RATE
        self._tokens = 1.0
        self._refilled_at = -math.inf
        self._answers = 0
        self._throttled = 0
        self._failed = 0
        self._window_began = -math.inf
        self.decreased_at = -math.inf
        """When the rate was last reduced."""

    def try_acquire(self, now: float) -> bool:
        """Whether a request may be sent now; if so, it is counted as sent."""
        if self.rate == math.inf:
            return True
        if self._tokens < 1.0:
            self._refill(now)
            if self._tokens < 1.0:
                return False
        self._tokens -= 1.0
        return True

    def delay(self, now: float) -> float:
        """Seconds until the next request may be sent."""
        if self.rate == math.inf:
            return 0.0
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def record_response(self, now: float, *, throttled: bool = False, failed: bool = False) -> None:
        """Record a response, or a request without one (`failed`)."""
        self._answers += 1
        self._throttled += throttled
        self._failed += failed
        if now - self._window_began >= _WINDOW_SECONDS:
            self._adjust(now)

    def _refill(self, now: float) -> None:
        elapsed = min(now - self._refilled_at, 1.0)
        self._refilled_at = now
        max_tokens = max(1.0, self.rate * _BURST_SECONDS)
        self._tokens = min(max_tokens, self._tokens + elapsed * self.rate)

    def _adjust(self, now: float) -> None:
        elapsed = min(now - self._window_began, _MAX_WINDOW_SECONDS)
        if self._answers < _MIN_RESPONSES and elapsed < _MAX_WINDOW_SECONDS:
            return
        throttled = self._throttled > 1 + self._answers * _MAX_THROTTLED_SHARE
        if self._window_began == -math.inf:
            # The first response only opens the first window.
            pass
        elif throttled or self._failed > 1 + self._answers * _OUTAGE_SHARE:
            # Without a maximum, start from a rate that is known to be too high.
            rate = self._ceiling if self.rate == math.inf else self.rate
            self.rate = max(rate * _DECREASE, self._ceiling * _MIN_RATE_SHARE, min(1.0, self._ceiling))
            self._tokens = min(self._tokens, 1.0)
            self.decreased_at = now
        elif self.rate < self.max_rate:
            rate = self.rate + self._ceiling * _INCREASE * elapsed
            self.rate = self.max_rate if rate >= self._ceiling else rate
        self._window_began, self._answers, self._throttled, self._failed = now, 0, 0, 0


class ConcurrencyLimit:
    """Limit of requests in flight: as many as the rate needs at the current latency (Little's law).

    The lowest latency of the last seconds is used, so that queueing caused by this client does not raise the
    limit. Of several kinds of responses the slowest kind counts, because some are answered without reaching
    the backend.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._limit = float(min(maximum, _INITIAL_CONCURRENCY))
        self._target = self._limit
        self._latencies: dict[object, list[float]] = {}
        """By kind of response: the lowest latency and the number of samples."""
        self._previous_latencies: dict[object, list[float]] = {}
        self._window_began = -math.inf

    @property
    def current(self) -> int:
        """The number of requests that may be in flight."""
        return int(self._limit)

    def record_response(self, sent_at: float, now: float, rate: float, kind: object = None) -> None:
        """Record a response of some kind, while `rate` requests a second are allowed.

        `sent_at` is when its request was sent; `-math.inf` excludes it from the latency.
        """
        latency = now - sent_at
        if latency != math.inf:
            lowest = self._latencies.get(kind)
            if lowest is None:
                self._latencies[kind] = [latency, 1]
            else:
                lowest[1] += 1
                if latency < lowest[0] or lowest[1] == _MIN_LATENCY_SAMPLES:
                    lowest[0] = min(lowest[0], latency)
                    self._update_target(rate)
        if now - self._window_began >= _LATENCY_WINDOW_SECONDS:
            self._window_began, self._previous_latencies, self._latencies = now, self._latencies, {}
            self._update_target(rate)
        if self._target > self._limit:
            # Increase in small steps: the first responses are late because of the handshakes.
            self._limit = min(self._target, self._limit + _CONCURRENCY_STEP)

    def _update_target(self, rate: float) -> None:
        lowest: dict[object, float] = {}
        for seen in (self._previous_latencies, self._latencies):
            for kind, (latency, samples) in seen.items():
                if samples >= _MIN_LATENCY_SAMPLES:
                    lowest[kind] = min(latency, lowest.get(kind, latency))
        if lowest:
            wanted = math.ceil(min(rate, _MAX_USEFUL_RATE) * max(lowest.values()) * _HEADROOM)
            self._target = float(min(self.maximum, max(_MIN_CONCURRENCY, wanted)))
            self._limit = min(self._limit, self._target)
