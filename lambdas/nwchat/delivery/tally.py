"""Counts the outcomes of a fan-out, and collects the rows to delete. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import assert_never

from nwchat.delivery.outcome import BufferFull, Delivered, Failed, Gone, Open, Outcome, Refused, Throttled
from nwchat.delivery.request import Source
from nwchat.model.rows import Recipient
from nwchat.values import dataclass

MIN_ROW_AGE_MS = 20_000
"""API Gateway has answered 410 for connections that were still being opened, so younger rows are not deleted.
Covers a few seconds plus the longest time that a response may take (`nwchat.delivery.socket_transport`)."""
MAX_GONE_ROWS = 5_000
"""Maximum number of rows that wait for deletion and of connections that wait for being closed."""
_MAX_REASONS = 10
_VARYING = re.compile(r"(?<![\w+/=-])(?!(?<=^)\d{3}\b|(?<=: )\d{3}\b)[\w+/=-]*\d[\w+/=-]*")
"""A word with a digit in it: a number, or an id."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The result of a fan-out. `recipients` = delivered + gone + refused + failed + buffer_full.

    `forgotten` counts the rows of closed (`gone`) connections that were deleted, `retries` the attempts after
    the first. `cut_short`: a stop or the deadline came before all recipients were tried. `broken_off`: why
    the run was aborted, "" when it was not. `reasons`: why posts were refused or failed, and how often, for a
    log. `buffer_full` counts connections whose client does not read, `disconnected` those of them that were
    closed for it.
    """

    recipients: int = 0
    delivered: int = 0
    gone: int = 0
    forgotten: int = 0
    refused: int = 0
    failed: int = 0
    retries: int = 0
    cut_short: bool = False
    broken_off: str = ""
    reasons: tuple[tuple[str, int], ...] = ()
    buffer_full: int = 0
    disconnected: int = 0


NUMBERS = tuple(name for name, kind in Counts.__annotations__.items() if kind == "int")
"""The fields of Counts that are summed."""


class Reasons:
    """Counts reasons of failures; of many different ones only the first are kept.

    Reasons that differ only by times, ports and ids are one, with the text of the first. An HTTP status at
    the beginning or after a colon is no such number.
    """

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._texts: dict[str, str] = {}

    def add(self, reason: str) -> None:
        kind = _VARYING.sub("0", reason)
        if kind in self._times or len(self._times) < _MAX_REASONS:
            self._texts.setdefault(kind, reason)
            self._times[kind] += 1

    def most_common(self) -> tuple[tuple[str, int], ...]:
        """The reasons and their numbers, most frequent first."""
        return tuple((self._texts[kind], times) for kind, times in self._times.most_common())


class Tally:
    """Counts outcomes, and collects the recipients whose connections are closed or have a full buffer."""

    def __init__(self) -> None:
        self.cut_short = False
        self.broken_off = ""
        self.forgotten = 0
        self.disconnected = 0
        self.gone: list[Recipient] = []
        self.slow: list[Recipient] = []
        self._delivered = 0
        self._gone = 0
        self._refused = 0
        self._failed = 0
        self._buffer_full = 0
        self._retries = 0
        self.reasons = Reasons()

    def record(self, recipient: Recipient, outcome: Outcome) -> None:
        """Count one recipient's outcome."""
        self._retries += outcome.retries
        match outcome:
            case Delivered() | Open():
                self._delivered += 1
            case Gone():
                self._gone += 1
                self.gone.append(recipient)
            case Refused():
                self._refused += 1
                self.reasons.add(outcome.reason)
            case Throttled() | Failed():
                self._failed += 1
                self.reasons.add(outcome.reason)
            case BufferFull():
                self._buffer_full += 1
                self.slow.append(recipient)
            case _:
                assert_never(outcome)

    def counts(self) -> Counts:
        """The counts so far."""
        return Counts(
            recipients=self._delivered + self._gone + self._refused + self._failed + self._buffer_full,
            delivered=self._delivered,
            gone=self._gone,
            forgotten=self.forgotten,
            refused=self._refused,
            failed=self._failed,
            retries=self._retries,
            cut_short=self.cut_short,
            broken_off=self.broken_off,
            reasons=self.reasons.most_common(),
            buffer_full=self._buffer_full,
            disconnected=self.disconnected,
        )


def is_deletable(recipient: Recipient, now_ms: int) -> bool:
    """Whether the row of a closed connection may be deleted: it is old enough, or has no readable time."""
    connected_at = recipient.connected_at
    return connected_at is None or now_ms - connected_at >= MIN_ROW_AGE_MS


class RecipientSource:
    """A source of `priority`, followed by `source` without `skip` and `priority`.

    While `paused` returns True, the source seems to be at its end; `ended` tells whether it is.
    """

    def __init__(
        self,
        source: Source[Recipient],
        *,
        priority: Sequence[Recipient] = (),
        skip: frozenset[str] = frozenset(),
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self.ended = False
        self._source = source
        self._priority = priority
        self._skip = skip | {each.connection_id for each in priority}
        self._paused = paused

    def next(self) -> Sequence[Recipient] | None:
        """The next recipients, as `nwchat.delivery.request.Source` defines."""
        if self._paused():
            return None
        if self._priority:
            priority, self._priority = self._priority, ()
            return priority
        try:
            found = self._source.next()
        except Exception:
            self.ended = True
            raise
        if found is None:
            self.ended = True
        elif self._skip:
            return [each for each in found if each.connection_id not in self._skip]
        return found
