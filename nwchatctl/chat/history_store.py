"""Stores imported messages in batches: those that are new, cleaned as by the chat. Counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from nwchat.model.ids import is_expired, message_expiry
from nwchat.model.limits import Limits, check_message
from nwchat.model.wire import InvalidFrame, Message, MessageRequest
from nwchatctl.chat.history_import import InvalidLine, ReadResult

MAX_REASONS = 100
"""The number of invalid lines whose reasons are kept, and of ids; all are counted."""

BATCH = 25
"""DynamoDB's maximum of writes in one BatchWriteItem (API reference)."""


@dataclass
class ImportCounts:
    """The progress of an import.

    `imported` are the new messages, `replaced` those whose stored text was another, `already` those that are
    stored as they are in the file. `different` have another text than the message with their id, `deleted`
    are those that an operator has deleted: neither is stored. `cleaned` counts the stored ones that were
    changed as the chat changes what players send.
    """

    imported: int = 0
    expired: int = 0
    bad: int = 0
    reasons: list[InvalidLine] = field(default_factory=list)
    already: int = 0
    replaced: int = 0
    cleaned: int = 0
    different: int = 0
    different_ids: list[str] = field(default_factory=list)
    deleted: int = 0

    @property
    def read(self) -> int:
        skipped = self.already + self.different + self.deleted + self.expired + self.bad
        return self.imported + self.replaced + skipped

    @property
    def stored(self) -> int:
        return self.imported + self.replaced

    def add_bad(self, line: InvalidLine) -> None:
        self.bad += 1
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(line)

    def add_different(self, key: str) -> None:
        self.different += 1
        if len(self.different_ids) < MAX_REASONS:
            self.different_ids.append(key)


@dataclass(frozen=True, slots=True)
class KnownMessages:
    """What the table has under some ids: messages, and the ids of those that an operator has deleted."""

    stored: Mapping[str, Message] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()


class MessageTable(Protocol):
    """Where messages are stored; at most BATCH of them in a call, with different ids."""

    def known(self, keys: Sequence[str]) -> KnownMessages: ...

    def put(self, messages: Iterable[tuple[Message, int]]) -> None: ...

    def restore(self, keys: Sequence[str]) -> None:
        """Messages with these ids are no longer deleted."""


@dataclass(frozen=True, slots=True)
class ImportRules:
    """How messages are stored. `replace`: also over another text, and those that were deleted."""

    limits: Limits
    retention_days: int
    replace: bool = False


@dataclass(frozen=True, slots=True)
class _Pending:
    """A message to store: cleaned, and as it is in the file."""

    message: Message
    original: Message
    expires_at: int


class Importer:
    """Stores every message with its expiry, in batches; `counts` is updated after each of them."""

    def __init__(
        self, table: MessageTable, rules: ImportRules, counts: ImportCounts, now_ms: Callable[[], int]
    ) -> None:
        self._table = table
        self._rules = rules
        self._counts = counts
        self._now_ms = now_ms
        self._batch: dict[str, _Pending] = {}

    def store(self, source: Iterable[ReadResult], progress: Callable[[int], None]) -> None:
        """Stores what is a message in `source`; `progress` gets the number of results after each batch."""
        for each in source:
            if isinstance(each, InvalidLine):
                self._counts.add_bad(each)
                continue
            original = each.message
            expires_at = message_expiry(original.date, self._rules.retention_days)
            if is_expired(expires_at, self._now_ms()):
                self._counts.expired += 1
                continue
            found = cleaned(original, self._rules.limits)
            if isinstance(found, str):
                self._counts.add_bad(InvalidLine(each.line, found, each.item))
                continue
            self._add(_Pending(found, original, expires_at))
            if len(self._batch) == BATCH:
                self._flush()
                progress(self._counts.read)
        self._flush()
        progress(self._counts.read)

    def _add(self, pending: _Pending) -> None:
        key = pending.message.id
        earlier = self._batch.get(key)
        if earlier is not None and earlier.message == pending.message:
            self._counts.already += 1
        elif earlier is not None:
            # DynamoDB refuses two writes of one id in a batch; in another batch they meet in the table.
            self._flush()
            self._batch[key] = pending
        else:
            self._batch[key] = pending

    def _flush(self) -> None:
        if not self._batch:
            return
        known = self._table.known(list(self._batch))
        new = [each for each in self._batch.values() if self._is_new(each, known)]
        chosen = [each for each in self._batch.values() if each in new or self._replaces(each, known)]
        if chosen:
            self._table.put((each.message, each.expires_at) for each in chosen)
        if restored := [each.message.id for each in chosen if each.message.id in known.deleted]:
            self._table.restore(restored)
        self._count(known, new, chosen)
        self._batch.clear()

    def _is_new(self, pending: _Pending, known: KnownMessages) -> bool:
        key = pending.message.id
        if key in known.deleted:
            return self._rules.replace
        return key not in known.stored

    def _replaces(self, pending: _Pending, known: KnownMessages) -> bool:
        stored = known.stored.get(pending.message.id)
        return self._rules.replace and stored is not None and stored != pending.message

    def _count(self, known: KnownMessages, new: list[_Pending], chosen: list[_Pending]) -> None:
        counts = self._counts
        counts.imported += len(new)
        counts.replaced += len(chosen) - len(new)
        counts.cleaned += sum(each.message != each.original for each in chosen)
        for each in self._batch.values():
            key = each.message.id
            if each in chosen:
                continue
            if key in known.deleted:
                counts.deleted += 1
            elif known.stored[key] in (each.message, each.original):
                counts.already += 1
            else:
                counts.add_different(key)


def cleaned(message: Message, limits: Limits) -> Message | str:
    """The message as the chat would store it, or why it would refuse it."""
    checked = check_message(MessageRequest(message.message, message.uname, message.sender_id), limits)
    if isinstance(checked, InvalidFrame):
        return checked.detail
    return replace(message, message=checked.message, uname=checked.uname, sender_id=checked.sender_id)
