"""How far an announcement has come: what may be left out when it is taken up again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome, Refused, Throttled
from nwchat.model.rows import Recipient
from nwchat.storage.scan import Part, ScanPage
from nwchatctl.chat import broadcast_progress
from nwchatctl.chat.broadcast_progress import (
    LEASE_MS,
    BroadcastLease,
    BroadcastRecord,
    Checkpoint,
    CheckpointTracker,
    is_lease_free,
)

ONE, TWO = Part(0, 2), Part(1, 2)


def page(*names: str, rest: str = "", part: Part = ONE) -> ScanPage:
    return ScanPage([Recipient(each) for each in names], Part(part.number, part.of, rest) if rest else None)


def settle(
    tracker: CheckpointTracker, recipients: Sequence[Recipient], outcome: Outcome | None = None
) -> None:
    for each in recipients:
        tracker.record_outcome(each, outcome or Delivered())


def test_it_begins_with_all_parts_and_is_written_and_read_alike() -> None:
    begun = Checkpoint()
    assert [(each.number, each.of, each.start) for each in begun.parts] == [(n, 4, "") for n in range(4)]
    further = Checkpoint((Part(2, 4, 'id="x"/é'),), ("a", "b="))
    assert [Checkpoint.from_json(each.to_json()) for each in (begun, further)] == [begun, further]
    assert (begun.finished, further.finished, Checkpoint((), ("a",)).finished) == (False, False, False)
    assert Checkpoint((), ()).finished


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"parts": [[1]], "again": []}', '{"parts": 1}'])
def test_what_is_no_progress_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no progress"):
        Checkpoint.from_json(text)


def test_a_part_goes_on_after_the_last_page_with_all_before_it_settled() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE, TWO)))
    first = tracker.add_page(page("a", "b", rest="b"), ONE)
    second = tracker.add_page(page("c", rest="c"), ONE)
    settle(tracker, second)
    assert tracker.checkpoint() == Checkpoint((ONE, TWO)), "the first page is not done with"
    settle(tracker, first[:1])
    assert tracker.checkpoint() == Checkpoint((ONE, TWO))
    settle(tracker, first[1:])
    assert tracker.checkpoint() == Checkpoint((Part(0, 2, "c"), TWO))
    settle(tracker, tracker.add_page(page("d", part=TWO), TWO))
    settle(tracker, tracker.add_page(page("e"), Part(0, 2, "c")))
    assert tracker.checkpoint().finished


def test_an_empty_page_is_done_with() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    tracker.add_page(page(rest="m"), ONE)
    assert tracker.checkpoint() == Checkpoint((Part(0, 2, "m"),))
    tracker.add_page(page(), ONE)
    assert tracker.checkpoint().finished


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (Delivered(), ()),
        (Gone(), ()),
        (Refused(413, ""), ()),
        (Refused(403, ""), ("a",)),
        (Failed(""), ("a",)),
        (Throttled(""), ("a",)),
    ],
)
def test_whom_it_may_reach_another_time_is_remembered(outcome: Outcome, again: tuple[str, ...]) -> None:
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    settle(tracker, tracker.add_page(page("a"), ONE), outcome)
    assert tracker.checkpoint() == Checkpoint((), again)


def test_those_not_reached_before_come_first_and_stay_until_they_are() -> None:
    tracker = CheckpointTracker(Checkpoint((), ("a", "b", "c")))
    (listed,) = tracker.retries()
    assert [each.connection_id for each in listed] == ["a", "b", "c"]
    settle(tracker, listed[:1])
    settle(tracker, listed[1:2], Failed("again"))
    assert tracker.checkpoint() == Checkpoint((), ("b", "c")), "c was not tried yet"


def test_too_many_missed_hold_their_part_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_progress, "MAX_RETRIED", 2)
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    settle(tracker, tracker.add_page(page("a", "b", rest="b"), ONE), Failed("x"))
    settle(tracker, tracker.add_page(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(tracker, tracker.add_page(page("e"), ONE))
    assert tracker.checkpoint() == Checkpoint((Part(0, 2, "b"),), ("a", "b")), "c and d are read again"


def test_those_not_reached_before_are_never_forgotten_for_want_of_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast_progress, "MAX_RETRIED", 2)
    tracker = CheckpointTracker(Checkpoint((ONE,), ("a", "b")))
    (listed,) = tracker.retries()
    settle(tracker, tracker.add_page(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(tracker, listed, Failed("again"))
    progress = tracker.checkpoint()
    assert (progress.parts, sorted(progress.retries)) == ((ONE,), ["a", "b"])


def test_what_is_handed_over_is_done_with_but_for_what_is_left_here() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE, TWO), ("a",)))
    tracker.delegate([])
    assert tracker.checkpoint().finished
    left = Part(7, 9)
    tracker.delegate([left])
    assert tracker.checkpoint() == Checkpoint((left,))
    settle(tracker, tracker.add_page(page("b", part=left), left))
    assert tracker.checkpoint().finished


SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=6)
STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 23), st.sampled_from([Delivered(), Gone(), Failed("x")])),
    max_size=40,
)


@given(SIZES, STEPS)
def test_nobody_is_left_out_wherever_it_stops(
    sizes: list[int], steps: list[tuple[bool, int, Outcome]]
) -> None:
    """Pages are read and settled in any order, then it ends: who had no good outcome is in what is left."""
    names = [f"{number:02}" for number in range(sum(sizes))]
    pages: list[ScanPage] = []
    at = 0
    for number, size in enumerate(sizes):
        at += size
        last = number == len(sizes) - 1
        pages.append(page(*names[at - size : at], rest="" if last else (names[at - 1] if at else "-")))
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    begun: list[Recipient] = []
    reached: set[str] = set()
    for settles, which, outcome in steps:
        if begun and settles:
            each = begun.pop(which % len(begun))
            tracker.record_outcome(each, outcome)
            reached |= set() if isinstance(outcome, Failed) else {each.connection_id}
        elif pages:
            begun += tracker.add_page(pages.pop(0), ONE)
    progress = tracker.checkpoint()
    to_come = {name for part in progress.parts for name in names if name > part.start}
    assert set(names) - reached <= {*to_come, *progress.retries}


def test_it_is_free_when_nobody_holds_it_or_its_holder_is_no_more() -> None:
    held = BroadcastRecord("id", lease=BroadcastLease("p", "me", until=1_000_000))
    assert is_lease_free(BroadcastRecord("id"), 0, dead=False, silent_ms=0)
    assert not is_lease_free(held, 1_000_000, dead=False, silent_ms=LEASE_MS)
    assert is_lease_free(held, 0, dead=True, silent_ms=0)
    assert is_lease_free(held, 0, dead=False, silent_ms=LEASE_MS + 1)
    assert not is_lease_free(held, 1_120_000, dead=False, silent_ms=0), "clocks differ"
    assert is_lease_free(held, 1_120_001, dead=False, silent_ms=0)
