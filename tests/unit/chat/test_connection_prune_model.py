"""Sockets open, close and reopen, even under the same ids, between any steps of a prune or a broadcast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.delivery.outcome import Delivered, Gone, Outcome
from nwchat.delivery.poster import Poster
from nwchat.model.rows import Recipient
from nwchat.storage.scan import ScanPage, ScanSegment, scan
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.chat.connection_rows import ConnectionQuery
from tests.unit.chat.simulated_chat import (
    GRACE_MS,
    OPENING_MS,
    URL,
    Decisions,
    RecordingSource,
    SimulatedChat,
    Socket,
    SteppedTransport,
    deletion_target,
    keys,
    request_target,
)

IDS = ("a=", "b=", "c/d", "-e", "f")
PARTS = (ScanSegment(0, 2), ScanSegment(1, 2))
TEXT = b'{"type":"announcement"}'


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Some steps of these worlds take 20 seconds: three lost answers in a row are no outage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nwchat.delivery.abort_rule.OUTAGE_SECONDS", math.inf)
        yield


numbers = st.binary(min_size=60, max_size=240)


class Scenario:
    """A world with all that may happen in it, and the two commands at work there."""

    def __init__(self, decisions: Sequence[int]) -> None:
        self.chat = SimulatedChat(IDS)
        self.decisions = Decisions(decisions)
        self.pages = 1 + self.decisions(3)
        for _ in range(self.decisions(12)):
            self.change_something()

    @property
    def events(self) -> list[Callable[[], None]]:
        return [self.change_something, self.change_something, self.change_something, self.prune_concurrently]

    def change_something(self) -> None:
        key = IDS[self.decisions(len(IDS))]
        match self.decisions(8):
            case 0 | 1:
                self.chat.connect(key, OPENING_MS // 4 * self.decisions(5))
            case 2 | 3:
                self.chat.disconnect(key, silently=True)
            case 4:
                self.chat.disconnect(key, silently=False)
            case 5:
                self.chat.record_activity(key)
            case 6:
                self.chat.wait(100 * self.decisions(200))
            case _:
                # A row that somebody left there, with no time in it.
                self.chat.rows.setdefault(key, {"connection_id": {"S": key}})

    def scan(self, part: ScanSegment, now_ms: int, **options: Any) -> Iterator[ScanPage]:
        client: Any = self.chat
        return scan(client, "connections", part, now_ms, **{**options, "page_size": self.pages})

    def clock(self) -> int:
        return self.chat.now_ms

    def prune(
        self, events: Sequence[Callable[[], None]], *, dry_run: bool = False, most_steps: int = 100_000
    ) -> PruneResult:
        """Checks that each row that was read is in one count. It is told to stop after `most_steps`."""
        steps = iter([""] * most_steps)
        chosen = ConnectionQuery(self.scan, self.clock, GRACE_MS, expired=True)
        source = RecordingSource(page for part in PARTS for page in chosen.pages(part))
        settled: list[str] = []

        def settle(recipient: Recipient, _: Outcome) -> None:
            settled.append(recipient.connection_id)

        result = prune(
            SteppedTransport(self.chat, self.decisions, events),
            request_target("GET"),
            None if dry_run else deletion_target(),
            source,
            clock=lambda: self.chat.now_ms / 1000,
            tick=lambda result: next(steps, "interrupted"),
            on_outcome=settle,
        )
        assert result.cut_short or (source.ended and Counter(settled) == Counter(source.given))
        assert not Counter(settled) - Counter(source.given)
        assert result.checked == len(settled)
        kept = result.kept_young + result.changed + result.left + result.absent
        assert result.checked == result.alive + result.deleted + kept + result.failed
        assert result.deleted + kept <= result.gone <= result.deleted + kept + result.failed
        assert result.cut_short or dry_run or not result.left
        assert not result.cut_short or most_steps < 100_000
        return result

    def prune_concurrently(self) -> None:
        self.prune([self.change_something])

    def broadcast(self, events: Sequence[Callable[[], None]]) -> dict[str, list[Outcome]]:
        """What became of whom."""
        chat = self.chat
        outcomes: dict[str, list[Outcome]] = {}
        found = (page for part in PARTS for page in self.scan(part, chat.now_ms, consistent=True))
        source = RecordingSource(page.recipients for page in found)
        transport = SteppedTransport(chat, self.decisions, events)
        poster = Poster(transport, URL, "us-east-2", keys, deletion_target(), self.clock)

        def settle(recipient: Recipient, outcome: Outcome) -> None:
            outcomes.setdefault(recipient.connection_id, []).append(outcome)

        counts = poster.post_all(source, TEXT, on_outcome=settle)
        assert {key: len(each) for key, each in outcomes.items()} == Counter(source.given)
        assert counts.recipients == len(source.given)
        return outcomes

    def stop_changes(self) -> None:
        """Nothing happens any more, and whatever is there is old."""
        self.decisions = Decisions(())
        self.chat.wait(GRACE_MS + 1)

    def open_sockets(self) -> list[Socket]:
        return [each for each in self.chat.sockets.values() if self.chat.open(each.id)]


@settings(max_examples=400, deadline=None)
@given(numbers)
def test_prune_deletes_no_row_of_an_open_socket(decisions: list[int]) -> None:
    scenario = Scenario(decisions)
    while not scenario.decisions.over:
        scenario.prune(scenario.events)
    assert scenario.chat.wrongly_deleted == []
    scenario.stop_changes()
    live = {key: scenario.chat.rows.get(key) for key in scenario.chat.sockets}
    result = scenario.prune(())
    # What is left is whoever is there, as it was, and nobody else.
    assert scenario.chat.rows == {key: row for key, row in live.items() if row is not None}
    assert (result.failed, result.changed, result.kept_young) == (0, 0, 0)


@settings(max_examples=400, deadline=None)
@given(numbers)
def test_broadcast_reaches_every_open_socket(decisions: list[int]) -> None:
    scenario = Scenario(decisions)
    before = [each for each in scenario.open_sockets() if each.id in scenario.chat.rows]
    outcomes = scenario.broadcast(scenario.events)
    for socket in before:
        if scenario.chat.sockets.get(socket.id) is not socket:
            continue
        received_outcomes = outcomes[socket.id]
        assert TEXT in socket.received or not isinstance(received_outcomes[0], Delivered | Gone)
    assert scenario.chat.wrongly_deleted == []
    # Nobody's row was lost on the way.
    assert {each.id for each in before} & scenario.chat.sockets.keys() <= scenario.chat.rows.keys()


@settings(max_examples=200, deadline=None)
@given(numbers, st.integers(0, 40))
def test_prune_stopped_at_any_step_counts_all_rows_and_can_be_repeated(
    decisions: list[int], most_steps: int
) -> None:
    scenario = Scenario(decisions)
    scenario.prune(scenario.events, most_steps=most_steps)
    assert scenario.chat.wrongly_deleted == []
    scenario.stop_changes()
    scenario.prune(())
    assert scenario.chat.rows.keys() <= scenario.chat.sockets.keys()


@settings(max_examples=100, deadline=None)
@given(numbers)
def test_a_dry_run_deletes_nothing(decisions: list[int]) -> None:
    scenario = Scenario(decisions)
    scenario.stop_changes()
    before = dict(scenario.chat.rows)
    would = scenario.prune((), dry_run=True)
    assert scenario.chat.rows == before
    assert would.deleted == 0
    assert scenario.prune(()).deleted == would.left
