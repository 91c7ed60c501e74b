"""Sockets open, close and reopen, even under the same ids, between any steps of a prune or a broadcast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.delivery.outcome import Delivered, Gone, Outcome
from nwchat.delivery.poster import Poster
from nwchat.model.rows import Recipient
from nwchat.storage.scan import Part, ScanPage, scan
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.chat.connection_rows import ConnectionQuery
from tests.unit.chat.simulated_chat import (
    GRACE_MS,
    OPENING_MS,
    URL,
    Reading,
    Scheduled,
    Socket,
    Tape,
    World,
    asking,
    deleting,
    keys,
)

IDS = ("a=", "b=", "c/d", "-e", "f")
PARTS = (Part(0, 2), Part(1, 2))
TEXT = b'{"type":"announcement"}'

numbers = st.lists(st.integers(0, 255), min_size=60, max_size=240)


class Story:
    """A world with all that may happen in it, and the two commands at work there."""

    def __init__(self, tape: Sequence[int]) -> None:
        self.world = World(IDS)
        self.tape = Tape(tape)
        self.pages = 1 + self.tape(3)
        for _ in range(self.tape(12)):
            self.happen()

    @property
    def happenings(self) -> list[Callable[[], None]]:
        return [self.happen, self.happen, self.happen, self.pruned_meanwhile]

    def happen(self) -> None:
        key = IDS[self.tape(len(IDS))]
        match self.tape(8):
            case 0 | 1:
                self.world.connect(key, OPENING_MS // 4 * self.tape(5))
            case 2 | 3:
                self.world.leave(key, silently=True)
            case 4:
                self.world.leave(key, silently=False)
            case 5:
                self.world.talk(key)
            case 6:
                self.world.wait(100 * self.tape(200))
            case _:
                # A row that somebody left there, with no time in it.
                self.world.rows.setdefault(key, {"connection_id": {"S": key}})

    def scan(self, part: Part, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        client: Any = self.world
        return scan(client, "connections", part, now_ms, **{**options, "page_size": self.pages})

    def clock(self) -> int:
        return self.world.now_ms

    def prune(
        self, happenings: Sequence[Callable[[], None]], *, dry_run: bool = False, most_steps: int = 100_000
    ) -> PruneResult:
        """Checks that each row that was read is in one count. It is told to stop after `most_steps`."""
        steps = iter([""] * most_steps)
        chosen = ConnectionQuery(self.scan, self.clock, GRACE_MS, expired=True)
        source = Reading(page for part in PARTS for page in chosen.pages(part))
        settled: list[str] = []

        def settle(recipient: Recipient, _: Outcome) -> None:
            settled.append(recipient.connection_id)

        swept = prune(
            Scheduled(self.world, self.tape, happenings),
            asking("GET"),
            None if dry_run else deleting(),
            source,
            clock=lambda: self.world.now_ms / 1000,
            tick=lambda swept: next(steps, "interrupted"),
            on_outcome=settle,
        )
        assert swept.cut_short or (source.ended and Counter(settled) == Counter(source.given))
        assert not Counter(settled) - Counter(source.given)
        assert swept.checked == len(settled)
        kept = swept.kept_young + swept.changed + swept.left + swept.absent
        assert swept.checked == swept.alive + swept.deleted + kept + swept.failed
        assert swept.deleted + kept <= swept.gone <= swept.deleted + kept + swept.failed
        assert swept.cut_short or dry_run or not swept.left
        assert not swept.cut_short or most_steps < 100_000
        return swept

    def pruned_meanwhile(self) -> None:
        self.prune([self.happen])

    def announce(self, happenings: Sequence[Callable[[], None]]) -> dict[str, list[Outcome]]:
        """What became of whom."""
        world = self.world
        outcomes: dict[str, list[Outcome]] = {}
        found = (page for part in PARTS for page in self.scan(part, world.now_ms, consistent=True))
        source = Reading(page.recipients for page in found)
        transport = Scheduled(world, self.tape, happenings)
        poster = Poster(transport, URL, "us-east-2", keys, deleting(), self.clock)

        def settle(recipient: Recipient, outcome: Outcome) -> None:
            outcomes.setdefault(recipient.connection_id, []).append(outcome)

        counts = poster.post_all(source, TEXT, settled=settle)
        assert {key: len(each) for key, each in outcomes.items()} == Counter(source.given)
        assert counts.recipients == len(source.given)
        return outcomes

    def quiet(self) -> None:
        """Nothing happens any more, and whatever is there is old."""
        self.tape = Tape(())
        self.world.wait(GRACE_MS + 1)

    def present(self) -> list[Socket]:
        return [each for each in self.world.sockets.values() if self.world.open(each.id)]


@settings(max_examples=400, deadline=None)
@given(numbers)
def test_a_prune_is_never_wrong(tape: list[int]) -> None:
    story = Story(tape)
    while not story.tape.over:
        story.prune(story.happenings)
    assert story.world.wrongly_deleted == []
    story.quiet()
    live = {key: story.world.rows.get(key) for key in story.world.sockets}
    swept = story.prune(())
    # What is left is whoever is there, as it was, and nobody else.
    assert story.world.rows == {key: row for key, row in live.items() if row is not None}
    assert (swept.failed, swept.changed, swept.kept_young) == (0, 0, 0)


@settings(max_examples=400, deadline=None)
@given(numbers)
def test_whoever_is_there_hears_it(tape: list[int]) -> None:
    story = Story(tape)
    before = [each for each in story.present() if each.id in story.world.rows]
    outcomes = story.announce(story.happenings)
    for socket in before:
        if story.world.sockets.get(socket.id) is not socket:
            continue
        told = outcomes[socket.id]
        assert TEXT in socket.heard or not isinstance(told[0], Delivered | Gone)
    assert story.world.wrongly_deleted == []
    # Nobody's row was lost on the way.
    assert {each.id for each in before} & story.world.sockets.keys() <= story.world.rows.keys()


@settings(max_examples=200, deadline=None)
@given(numbers, st.integers(0, 40))
def test_stopped_at_any_step_it_has_counted_all_and_goes_on(tape: list[int], most_steps: int) -> None:
    story = Story(tape)
    story.prune(story.happenings, most_steps=most_steps)
    assert story.world.wrongly_deleted == []
    story.quiet()
    story.prune(())
    assert story.world.rows.keys() <= story.world.sockets.keys()


@settings(max_examples=100, deadline=None)
@given(numbers)
def test_a_dry_run_deletes_nothing(tape: list[int]) -> None:
    story = Story(tape)
    story.quiet()
    before = dict(story.world.rows)
    would = story.prune((), dry_run=True)
    assert story.world.rows == before
    assert would.deleted == 0
    assert story.prune(()).deleted == would.left
