"""Tells a connection whose buffer is full from an account that is throttled. Pure.

API Gateway has one response for both, 429 with LimitExceededException: "The client is sending more than the
allowed number of requests per unit of time or the WebSocket client side buffer is full" (API reference of
PostToConnection). No field of the response is documented to differ, so the other responses decide: a throttle
rejects posts at random, and a retry is accepted in the end; a full buffer rejects every post to one
connection while posts to others are accepted.
"""

from __future__ import annotations

import math

MIN_REJECTIONS = 3
"""At least this many 429 responses in a row, spread over about a second, mean that a buffer is full."""
_CHANCE = 0.01
"""As many 429 responses in a row are required as a throttle would give with at most this probability."""
_MOST = 0.5
"""A larger share of rejected first attempts is a throttle, whatever happens to their retries."""
_MAX_RECOVERED_SHARE = 0.02
"""A larger share of connections that accept a post after a 429 is a throttle. Some do without one, when their
client reads again."""
_WINDOW = 200
"""About so many first attempts are remembered: a tenth of a second of a fan-out at full speed, so that a
throttle is noticed before any connection has been rejected `MIN_REJECTIONS` times."""


class ThrottleEvidence:
    """The latest responses of one run: accepted and rejected first attempts, and accepted retries."""

    def __init__(self) -> None:
        self._accepted = 0
        self._rejected = 0
        self._recovered = 0

    def record_accepted(self) -> None:
        """Record a first attempt with any response except 429."""
        self._accepted += 1
        if self._accepted + self._rejected >= _WINDOW:
            self._forget_half()

    def record_rejected(self) -> None:
        """Record a first attempt with the response 429."""
        self._rejected += 1
        if self._accepted + self._rejected >= _WINDOW:
            self._forget_half()

    def record_recovered(self) -> None:
        """Record a connection that accepted a post after a 429."""
        self._recovered += 1

    @property
    def most_rejected(self) -> bool:
        """Whether most first attempts are rejected."""
        return self._rejected > 1 + (self._accepted + self._rejected) * _MOST

    @property
    def throttled(self) -> bool:
        """Whether the account is throttled, as far as the responses tell."""
        recovered = self._recovered > 1 + (self._accepted + self._rejected) * _MAX_RECOVERED_SHARE
        return recovered or self.most_rejected

    def rejections_of_full_buffer(self) -> float:
        """How many 429 responses in a row mean that the connection's buffer is full.

        Infinity while nothing is accepted, or the account is throttled.
        """
        if not self._accepted or self.throttled:
            return math.inf
        # Laplace's estimate: a few responses prove little.
        share = (self._rejected + 1) / (self._accepted + self._rejected + 2)
        return max(MIN_REJECTIONS, math.ceil(math.log(_CHANCE) / math.log(share)))

    def _forget_half(self) -> None:
        self._accepted, self._rejected = self._accepted // 2, self._rejected // 2
        self._recovered //= 2
