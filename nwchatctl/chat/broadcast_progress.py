"""How far an announcement has come, so that whoever takes it up again goes on with those not yet reached.

The table of connections is read in parts, in an order that stays. Once everybody on a page and on all those
before it has an outcome, its end is where a part can be taken up. Whom it failed to reach is remembered by
name, up to a bound: past that bound the part stays where it is, and some hear the announcement again, which
their client drops by its id.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nwchat.delivery.outcome import Failed, Outcome, Refused, Throttled
from nwchat.model.rows import Recipient
from nwchat.storage.scan import Part, ScanPage
from nwchatctl.chat.connection_rows import ALL_PARTS

MAX_RETRIED = 1_000
"""How many of those not reached are remembered by name: 20 KB of a row, of which 400 are the most."""

LEASE_MS = 20_000
"""How long one who is sending is believed to be at it without saying so again."""

SAVE_SECONDS = 2.0
"""How often that is said, together with how far it is."""

_PERMANENT_STATUSES = (0, 413)
"""Refused for what they are: an id that no path can end in, a frame that is too large."""

_CLOCK_TOLERANCE_MS = 120_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The parts that are left, and who is to be tried again though their page is done with."""

    parts: tuple[Part, ...] = ALL_PARTS
    retries: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nobody is left to be reached."""
        return not self.parts and not self.retries

    def to_json(self) -> str:
        parts = [[each.number, each.of, each.start] for each in self.parts]
        return json.dumps({"parts": parts, "again": self.retries}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """ValueError for a text that `to_json` did not make."""
        try:
            fields = json.loads(text)
            parts = tuple(Part(int(number), int(of), str(start)) for number, of, start in fields["parts"])
            return cls(parts, tuple(map(str, fields["again"])))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"no progress of an announcement: {text[:80]}") from error


@dataclass(frozen=True, slots=True)
class BroadcastLease:
    """Who is sending: `process` as `nwchatctl.process_id` has it, `owner` for a person. Epoch ms."""

    process: str
    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class BroadcastRecord:
    """What is known of an announcement under its id. `frame` is the message as JSON, "" of one that an
    earlier release sent; `to_user` is whom it is for, "" for everybody; `holder` is who is at it."""

    message_id: str
    frame: str = ""
    to_user: str = ""
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    lease: BroadcastLease | None = None


@dataclass(eq=False, slots=True)
class _Page:
    left: int
    part: Part
    rest: Part | None


class CheckpointTracker:
    """Keeps count of what is under way, and knows the progress at any moment. For one thread, but for
    `noted`, which may be called by those that read."""

    def __init__(self, progress: Checkpoint) -> None:
        self._parts: dict[int, Part | None] = {each.number: each for each in progress.parts}
        self._pages: dict[int, deque[_Page]] = {each.number: deque() for each in progress.parts}
        self._untried = dict.fromkeys(progress.retries)
        self._retries: dict[str, None] = {}

    def add_page(self, found: ScanPage, part: Part) -> Sequence[Recipient]:
        """The recipients of a page, each with a note of the page."""
        page = _Page(len(found.recipients), part, found.rest)
        self._pages[part.number].append(page)
        return [Recipient(each.connection_id, each.row, page) for each in found.recipients]

    def retries(self) -> Iterator[Sequence[Recipient]]:
        """Those whom an earlier attempt did not reach."""
        if self._untried:
            yield [Recipient(each) for each in self._untried]

    def record_outcome(self, recipient: Recipient, outcome: Outcome) -> None:
        """Takes note of what became of one; for one that may be reached another time, that it is to be."""
        retry = isinstance(outcome, Failed | Throttled) or (
            # What is refused for want of permission may be taken another time.
            isinstance(outcome, Refused) and outcome.status not in _PERMANENT_STATUSES
        )
        page = recipient.note
        if not isinstance(page, _Page):
            # Of those it remembers already, so there is room for it.
            self._untried.pop(recipient.connection_id, None)
        elif retry and len(self._retries) + len(self._untried) >= MAX_RETRIED:
            # Its page never ends: the part is read again from there.
            return
        else:
            page.left -= 1
        if retry:
            self._retries[recipient.connection_id] = None

    def delegate(self, left: Sequence[Part]) -> None:
        """Everybody but those of the parts `left` is somebody else's to reach from now on."""
        self._parts = {each.number: each for each in left}
        self._pages = {each.number: deque() for each in left}
        self._untried, self._retries = {}, {}

    def checkpoint(self) -> Checkpoint:
        """As it is now."""
        for number, pages in self._pages.items():
            while pages and not pages[0].left:
                self._parts[number] = pages.popleft().rest
        left = tuple(part for part in self._parts.values() if part is not None)
        return Checkpoint(left, (*self._retries, *self._untried))


def is_lease_free(record: BroadcastRecord, now_ms: int, *, dead: bool, silent_ms: int) -> bool:
    """Whether nobody is at it any more: nobody ever was, it is a process that died, or it has kept silent for
    a lease, as seen by a clock of ours (`silent_ms`) or, with room for clocks that differ, by its own."""
    lease = record.lease
    return lease is None or dead or silent_ms > LEASE_MS or now_ms > lease.until + _CLOCK_TOLERANCE_MS
