"""Decides when a run is pointless, because all requests are refused or fail. Pure."""

from __future__ import annotations

import math

from nwchat.delivery.outcome import RetryableResponse

ABORT_AFTER = 200
"""After this many refusals without any success, the run is aborted."""
OUTAGE_SECONDS = 30.0
"""How long all requests may fail before the run is aborted."""


class AbortRule:
    """Counts refusals and final failures in a row. Each `record_...` of them returns why to abort, or ""."""

    def __init__(self) -> None:
        self.accepted = False
        """Whether any request was accepted."""
        self.accepted_at = -math.inf
        """When a request was last accepted; until then, when the first was sent."""
        self._refusals = 0
        self._credential_failures = 0
        self._failing_since = math.inf
        self._idle_since = math.inf
        self._reason = ""

    def record_accepted(self, now: float) -> None:
        """Record a request that was not refused."""
        self.accepted, self.accepted_at = True, now
        self._credential_failures = 0
        self._failing_since = math.inf

    def record_idle(self, now: float) -> None:
        """Record that there is nothing to send."""
        self._idle_since = min(self._idle_since, now)

    def record_sent(self, now: float) -> None:
        """Record that a request is sent. The time without any does not count as a part of an outage."""
        self.accepted_at = now if self.accepted_at == -math.inf else self.accepted_at
        if self._idle_since < math.inf:
            self._failing_since += now - self._idle_since
            self._idle_since = math.inf

    def record_refusal(self, reason: str) -> str:
        """Record a permanent refusal."""
        if self.accepted:
            return ""
        self._refusals += 1
        return (
            f"the first {self._refusals} were all refused: {reason}" if self._refusals >= ABORT_AFTER else ""
        )

    def record_attempt(self, reason: str, now: float) -> None:
        """Record that an attempt failed. The time before the first failure does not count: a machine that
        was suspended finds all its requests failed."""
        self._failing_since = min(self._failing_since, now)
        self._reason = reason

    def outage(self, now: float) -> str:
        """Why to abort because nothing has been accepted for too long, whatever the number of requests."""
        if now - self._failing_since <= OUTAGE_SECONDS:
            return ""
        return f"nothing was accepted for {OUTAGE_SECONDS:g} s: {self._reason}"

    def record_failure(self, why: RetryableResponse, retries: int) -> str:
        """Record that an item has finally failed after `retries` retries."""
        self._credential_failures += why.renew and retries > 0
        if self._credential_failures >= ABORT_AFTER:
            return f"the last {self._credential_failures} were all refused: {why.reason}"
        return ""
