"""How fast to send, and how many at once: a rate that backs off and recovers, a width that follows latency.

Pure: times are monotonic seconds and come in as arguments.
"""

from __future__ import annotations

import math

_WINDOW_SECONDS = 0.25
"""How long answers are counted before the rate is judged by them..."""
_FEW = 50
_LONG_SECONDS = 1.0
"""...unless they are few: then so long."""
_TOLERATED = 0.02
"""The share of throttled answers that leaves the rate alone, and one more: API Gateway answers 429 for a
single client that reads too slowly as well, and that is no reason to keep the others waiting."""
_OUTAGE = 0.8
"""The share of failures from which on there is no service or no network: everybody would be tried in vain
while it lasts."""
_DECREASE = 0.6
_INCREASE = 0.05
"""Of the highest rate, a second: all of it is back in twenty seconds."""
_FLOOR = 0.02
_BURST_SECONDS = 0.05

_USEFUL_RATE = 12_000.0
"""More requests a second than API Gateway allows an account (10,000) are none to be ready for."""
_HEADROOM = 1.5
_LEAST_WIDTH = 16
_FIRST_WIDTH = 32
_STEP = 0.5
_LOW_SECONDS = 2.0
_ENOUGH = 8
"""Answers of a kind that say something of its latency: fewer may all have been held up."""


class RateLimiter:
    """Additive increase, multiplicative decrease, up to `most` requests a second (`math.inf`: no limit)."""

    def __init__(self, most: float = math.inf) -> None:
        self.most = most
        self.rate = most
        self._ceiling = most if most != math.inf else _USEFUL_RATE
        self._tokens = 1.0
        self._filled_at = -math.inf
        self._answers = 0
        self._throttled = 0
        self._failed = 0
        self._since = -math.inf

    def take(self, now: float) -> bool:
        """Whether a request may be sent now; if so, it counts as sent."""
        if self.rate == math.inf:
            return True
        if self._tokens < 1.0:
            self._fill(now)
            if self._tokens < 1.0:
                return False
        self._tokens -= 1.0
        return True

    def delay(self, now: float) -> float:
        """Seconds until one may be sent."""
        if self.rate == math.inf:
            return 0.0
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def answered(self, now: float, *, throttled: bool = False, failed: bool = False) -> None:
        """Takes note of an answer, or of one that never came (`failed`)."""
        self._answers += 1
        self._throttled += throttled
        self._failed += failed
        if now - self._since >= _WINDOW_SECONDS:
            self._judge(now)

    def _fill(self, now: float) -> None:
        passed = min(now - self._filled_at, 1.0)
        self._filled_at = now
        most = max(1.0, self.rate * _BURST_SECONDS)
        self._tokens = min(most, self._tokens + passed * self.rate)

    def _judge(self, now: float) -> None:
        passed = min(now - self._since, _LONG_SECONDS)
        if self._answers < _FEW and passed < _LONG_SECONDS:
            return
        throttled = self._throttled > 1 + self._answers * _TOLERATED
        if self._since == -math.inf:
            # The first answer only opens the first window.
            pass
        elif throttled or self._failed > 1 + self._answers * _OUTAGE:
            # Without a limit of its own, it begins at what is known to be too much.
            rate = self._ceiling if self.rate == math.inf else self.rate
            self.rate = max(rate * _DECREASE, self._ceiling * _FLOOR, min(1.0, self._ceiling))
            self._tokens = min(self._tokens, 1.0)
        elif self.rate < self.most:
            rate = self.rate + self._ceiling * _INCREASE * passed
            self.rate = self.most if rate >= self._ceiling else rate
        self._since, self._answers, self._throttled, self._failed = now, 0, 0, 0


class ConcurrencyLimit:
    """How many requests are under way at most: so many as the rate needs at the latency seen (Little's law).

    The lowest latency of the last seconds counts, so that a queue of our own making does not widen it; of
    several kinds of answers the slowest kind's, for some are given without asking anybody.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._wide = float(min(most, _FIRST_WIDTH))
        self._wanted = self._wide
        self._lows: dict[object, list[float]] = {}
        """By kind: the lowest latency, and of how many."""
        self._before: dict[object, list[float]] = {}
        self._since = -math.inf

    @property
    def now(self) -> int:
        """Requests that may be under way."""
        return int(self._wide)

    def answered(self, sent_at: float, now: float, rate: float, kind: object = None) -> None:
        """Takes note of an answer of some kind to a request sent at `sent_at` (`-math.inf`: not to be
        measured), while `rate` a second are wanted."""
        took = now - sent_at
        if took != math.inf:
            low = self._lows.get(kind)
            if low is None:
                self._lows[kind] = [took, 1]
            else:
                low[1] += 1
                if took < low[0] or low[1] == _ENOUGH:
                    low[0] = min(low[0], took)
                    self._choose(rate)
        if now - self._since >= _LOW_SECONDS:
            self._since, self._before, self._lows = now, self._lows, {}
            self._choose(rate)
        if self._wanted > self._wide:
            # Step by step: the first answers come late because we are busy with handshakes.
            self._wide = min(self._wanted, self._wide + _STEP)

    def _choose(self, rate: float) -> None:
        lows: dict[object, float] = {}
        for seen in (self._before, self._lows):
            for kind, (low, times) in seen.items():
                if times >= _ENOUGH:
                    lows[kind] = min(low, lows.get(kind, low))
        if lows:
            wanted = math.ceil(min(rate, _USEFUL_RATE) * max(lows.values()) * _HEADROOM)
            self._wanted = float(min(self.most, max(_LEAST_WIDTH, wanted)))
            self._wide = min(self._wide, self._wanted)
