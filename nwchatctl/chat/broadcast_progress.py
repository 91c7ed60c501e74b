"""The progress of a broadcast, so that a later run continues with the recipients that were not reached.

The connections table is read in parts, in a stable order. Once all recipients of a page and of all pages
before it have an outcome, its end is a position from which the part can be resumed. Recipients that were not
reached are stored by id, up to a limit: beyond it the part does not advance, and some recipients receive the
broadcast again, which their client ignores by its id.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nwchat.delivery.outcome import Failed, Outcome, Refused, Throttled
from nwchat.model.rows import Recipient
from nwchat.model.wire import Message, from_json_dict
from nwchat.storage.scan import ScanPage, ScanSegment
from nwchatctl.chat.connection_rows import ALL_PARTS
from nwchatctl.lease import LeaseTerms

MAX_RETRIED = 1_000
"""The maximum of recipients stored for a retry: 20 KB of a row, whose limit is 400."""

TERMS = LeaseTerms(valid_seconds=20.0, renew_seconds=2.0)
"""The lease of a broadcast. The checkpoint is stored with each renewal."""

_PERMANENT_STATUSES = (0, 413)
"""Permanent refusals: an id that cannot be in a path, a frame that is too large."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The parts that remain, and the recipients to retry although their page is finished."""

    parts: tuple[ScanSegment, ...] = ALL_PARTS
    retries: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether no recipient remains."""
        return not self.parts and not self.retries

    def to_json(self) -> str:
        parts = [[each.number, each.total, each.start] for each in self.parts]
        return json.dumps({"parts": parts, "again": self.retries}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """The checkpoint in a text of `to_json`; raises ValueError for any other."""
        try:
            fields = json.loads(text)
            parts = tuple(
                ScanSegment(int(number), int(of), str(start)) for number, of, start in fields["parts"]
            )
            return cls(parts, tuple(map(str, fields["again"])))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"no progress of an announcement: {text[:80]}") from error


@dataclass(frozen=True, slots=True)
class BroadcastLease:
    """The run that sends a broadcast: `process` begins as in `nwchatctl.process_id` and is different for each
    run, `owner` is for people, `until` is epoch ms of AWS's clock."""

    process: str
    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class BroadcastRecord:
    """The stored state of a broadcast, by its id. `frame` is the message as JSON, "" if an earlier release
    sent it; `to_user` is the only recipient, "" for all; `lease` is the sending process's."""

    message_id: str
    frame: str = ""
    to_user: str = ""
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    lease: BroadcastLease | None = None


@dataclass(eq=False, slots=True)
class _Page:
    left: int
    part: ScanSegment
    rest: ScanSegment | None


class CheckpointTracker:
    """Tracks outcomes and gives the checkpoint at any moment. For one thread, except `add_page`, which
    reading threads may call."""

    def __init__(self, progress: Checkpoint) -> None:
        self._parts: dict[int, ScanSegment | None] = {each.number: each for each in progress.parts}
        self._pages: dict[int, deque[_Page]] = {each.number: deque() for each in progress.parts}
        self._untried = dict.fromkeys(progress.retries)
        self._retries: dict[str, None] = {}

    def add_page(self, found: ScanPage, part: ScanSegment) -> Sequence[Recipient]:
        """The recipients of a page, each with the page as its note."""
        page = _Page(len(found.recipients), part, found.remainder)
        self._pages[part.number].append(page)
        return [Recipient(each.connection_id, each.row, page) for each in found.recipients]

    def retries(self) -> Iterator[Sequence[Recipient]]:
        """The recipients that an earlier run did not reach."""
        if self._untried:
            yield [Recipient(each) for each in self._untried]

    def record_outcome(self, recipient: Recipient, outcome: Outcome) -> None:
        """Records the outcome of a recipient, and whether it is to be retried. A connection with a full
        buffer is not: it is closed, and its client reads the history."""
        retry = isinstance(outcome, Failed | Throttled) or (
            # A refusal for a missing permission is temporary.
            isinstance(outcome, Refused) and outcome.status not in _PERMANENT_STATUSES
        )
        page = recipient.note
        if not isinstance(page, _Page):
            # Recipients to retry are stored already, so there is room.
            self._untried.pop(recipient.connection_id, None)
        elif retry and len(self._retries) + len(self._untried) >= MAX_RETRIED:
            # Its page never finishes: the part is read again from there.
            return
        else:
            page.left -= 1
        if retry:
            self._retries[recipient.connection_id] = None

    def delegate(self, left: Sequence[ScanSegment]) -> None:
        """From now on only the parts `left` are to be read here; the others are delegated."""
        self._parts = {each.number: each for each in left}
        self._pages = {each.number: deque() for each in left}
        self._untried, self._retries = {}, {}

    def checkpoint(self) -> Checkpoint:
        """The current checkpoint."""
        for number, pages in self._pages.items():
            while pages and not pages[0].left:
                self._parts[number] = pages.popleft().rest
        left = tuple(part for part in self._parts.values() if part is not None)
        return Checkpoint(left, (*self._retries, *self._untried))


def difference(message: Message, to_user: str, record: BroadcastRecord) -> str:
    """What of an announcement differs from the one that `record` has: its recipient, its text or its sender;
    "" if it is the same."""
    if not record.frame:
        return ""
    stored = from_json_dict(json.loads(record.frame))
    compared = {
        "the recipient": (to_user, record.to_user),
        "the text": (message.message, stored.message),
        "the sender's name": (message.uname, stored.uname),
    }
    return next((name for name, (new, old) in compared.items() if new != old), "")
