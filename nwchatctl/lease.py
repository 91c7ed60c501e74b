"""Leases: how long one is valid, and when another process may take it over. Pure.

The deploy lock and a broadcast with an id are held by a lease in a table row. Its holder renews it. A
contender watches the row. Both rely on how much time passes on their own monotonic clock; the expiry in the
row, by AWS's clock, only shortens the wait of a contender that comes late. So no wrong clock takes a lease
from a live holder."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

CLOCK_SECONDS = 10.0
"""How far apart two machines' readings of AWS's clock can be: each differs from it by up to 5 s
(`nwchatctl.aws.core.server_clock.TOLERATED_MS`)."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a lease is valid after its last renewal, and how often its holder renews it, in seconds."""

    valid_seconds: float
    renew_seconds: float

    @property
    def valid_ms(self) -> int:
        return round(self.valid_seconds * 1000)

    @property
    def holder_seconds(self) -> float:
        """How long a holder that cannot renew the lease continues: it ends before others may take over."""
        return self.valid_seconds - self.renew_seconds

    @property
    def watch_seconds(self) -> float:
        """How long an expired lease must be seen unchanged before it is taken over."""
        return max(self.renew_seconds, CLOCK_SECONDS)


@dataclass(slots=True)
class LeaseWatch:
    """Watches the lease of another process. `seen` is the lease as it was read, in any form that differs
    after a renewal; monotonic seconds."""

    terms: LeaseTerms
    _seen: Hashable = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _expired_since: float | None = field(default=None, init=False)

    def may_take_over(self, seen: Hashable, *, expires_at: int, now_ms: int, now: float, dead: bool) -> bool:
        """Whether the lease may be taken over that was read just now.

        It may if its holder is `dead`, an ended process of this machine; if it was seen unchanged for as long
        as it is valid; or if it was seen expired (`expires_at`, epoch ms by AWS's clock, as `now_ms` is) and
        unchanged for `watch_seconds`.
        """
        if seen != self._seen:
            self._seen, self._since, self._expired_since = seen, now, None
        if expires_at > now_ms:
            self._expired_since = None
        elif self._expired_since is None:
            self._expired_since = now
        return (
            dead
            or now - self._since >= self.terms.valid_seconds
            or (self._expired_since is not None and now - self._expired_since >= self.terms.watch_seconds)
        )
