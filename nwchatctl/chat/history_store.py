"""Stores imported messages in batches, and counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nwchat.model.ids import is_expired, message_expiry
from nwchat.model.wire import Message
from nwchatctl.chat.history_import import InvalidLine, ReadResult

MAX_REASONS = 100
"""The number of invalid lines whose reasons are kept; all are counted."""

BATCH = 25
"""DynamoDB's maximum of writes in one BatchWriteItem (API reference)."""


@dataclass
class ImportCounts:
    """The progress of an import."""

    imported: int = 0
    expired: int = 0
    bad: int = 0
    reasons: list[InvalidLine] = field(default_factory=list)

    @property
    def read(self) -> int:
        return self.imported + self.expired + self.bad


def store(
    source: Iterable[ReadResult],
    put: Callable[[Iterable[tuple[Message, int]]], None],
    counts: ImportCounts,
    *,
    retention_days: int,
    now_ms: Callable[[], int],
    progress: Callable[[int], None],
) -> None:
    """Stores every message with its expiry (epoch seconds), in batches; `counts` is updated after each
    batch."""
    batch: dict[str, tuple[Message, int]] = {}
    waiting = 0

    def flush() -> None:
        nonlocal waiting
        if batch:
            put(batch.values())
        counts.imported += waiting
        waiting = 0
        batch.clear()
        progress(counts.read)

    for each in source:
        if isinstance(each, InvalidLine):
            counts.bad += 1
            counts.reasons += [each] if len(counts.reasons) < MAX_REASONS else []
            continue
        until = message_expiry(each.date, retention_days)
        if is_expired(until, now_ms()):
            counts.expired += 1
            continue
        # Of two messages with one id the later remains; DynamoDB refuses both in one batch.
        batch[each.id] = (each, until)
        waiting += 1
        if len(batch) == BATCH:
            flush()
    flush()
