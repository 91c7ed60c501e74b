"""The token bucket with which AWS limits rates: a steady rate and a burst.

API Gateway and the control planes of other services throttle so (API Gateway developer guide, "Throttle
requests"): a full bucket accepts `burst` requests at once and refills by `rate` tokens a second.
"""

from __future__ import annotations

from collections.abc import Hashable


class TokenBucket:
    """Accepts `rate` requests a second, and up to `burst` of them at once.

    Pure: times are seconds of any clock that does not go back. A bucket starts full. A burst below 1 accepts
    nothing; a rate of 0 accepts the burst and then nothing.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._refilled_at: float | None = None

    def take(self, now: float) -> bool:
        """Whether a request at `now` is accepted; if so, it uses one token."""
        if self._refilled_at is not None:
            elapsed = max(0.0, now - self._refilled_at)
            self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class TokenBuckets:
    """Token buckets by key, made when they are first needed."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, TokenBucket] = {}

    def take(self, key: Hashable, rate: float | None, burst: float | None, now: float) -> bool:
        """Whether a request at `now` is accepted. Without a `rate` it always is; without a `burst` the bucket
        holds what one second brings. A bucket whose limits change starts full."""
        if rate is None:
            return True
        size = max(rate, 1.0) if burst is None else float(burst)
        bucket = self._buckets.get(key)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, size):
            bucket = self._buckets[key] = TokenBucket(float(rate), size)
        return bucket.take(now)
