"""How far an announcement has come: what may be left out when it is taken up again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome, Refused, Throttled
from nwchat.model.rows import Recipient
from nwchat.model.wire import Message, to_json_dict
from nwchat.storage.scan import ScanPage, ScanSegment
from nwchatctl.chat import broadcast_progress
from nwchatctl.chat.broadcast_progress import (
    BroadcastRecord,
    Checkpoint,
    CheckpointTracker,
    difference,
)

ONE, TWO = ScanSegment(0, 2), ScanSegment(1, 2)


def page(*names: str, rest: str = "", part: ScanSegment = ONE) -> ScanPage:
    return ScanPage(
        [Recipient(each) for each in names], ScanSegment(part.number, part.total, rest) if rest else None
    )


def settle(
    tracker: CheckpointTracker, recipients: Sequence[Recipient], outcome: Outcome | None = None
) -> None:
    for each in recipients:
        tracker.record_outcome(each, outcome or Delivered())


def test_first_checkpoint_has_all_parts_and_survives_json() -> None:
    begun = Checkpoint()
    assert [(each.number, each.total, each.start) for each in begun.parts] == [(n, 4, "") for n in range(4)]
    further = Checkpoint((ScanSegment(2, 4, 'id="x"/é'),), ("a", "b="))
    assert [Checkpoint.from_json(each.to_json()) for each in (begun, further)] == [begun, further]
    assert (begun.finished, further.finished, Checkpoint((), ("a",)).finished) == (False, False, False)
    assert Checkpoint((), ()).finished


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"parts": [[1]], "again": []}', '{"parts": 1}'])
def test_invalid_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no progress"):
        Checkpoint.from_json(text)


def test_part_resumes_after_last_page_without_unsettled_recipients() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE, TWO)))
    first = tracker.add_page(page("a", "b", rest="b"), ONE)
    second = tracker.add_page(page("c", rest="c"), ONE)
    settle(tracker, second)
    assert tracker.checkpoint() == Checkpoint((ONE, TWO)), "the first page is not done with"
    settle(tracker, first[:1])
    assert tracker.checkpoint() == Checkpoint((ONE, TWO))
    settle(tracker, first[1:])
    assert tracker.checkpoint() == Checkpoint((ScanSegment(0, 2, "c"), TWO))
    settle(tracker, tracker.add_page(page("d", part=TWO), TWO))
    settle(tracker, tracker.add_page(page("e"), ScanSegment(0, 2, "c")))
    assert tracker.checkpoint().finished


def test_empty_page_is_settled() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    tracker.add_page(page(rest="m"), ONE)
    assert tracker.checkpoint() == Checkpoint((ScanSegment(0, 2, "m"),))
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
def test_recipients_of_transient_failures_are_recorded(outcome: Outcome, again: tuple[str, ...]) -> None:
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    settle(tracker, tracker.add_page(page("a"), ONE), outcome)
    assert tracker.checkpoint() == Checkpoint((), again)


def test_recorded_recipients_are_retried_first_until_delivered() -> None:
    tracker = CheckpointTracker(Checkpoint((), ("a", "b", "c")))
    (listed,) = tracker.retries()
    assert [each.connection_id for each in listed] == ["a", "b", "c"]
    settle(tracker, listed[:1])
    settle(tracker, listed[1:2], Failed("again"))
    assert tracker.checkpoint() == Checkpoint((), ("b", "c")), "c was not tried yet"


def test_part_does_not_advance_past_too_many_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_progress, "MAX_RETRIED", 2)
    tracker = CheckpointTracker(Checkpoint((ONE,)))
    settle(tracker, tracker.add_page(page("a", "b", rest="b"), ONE), Failed("x"))
    settle(tracker, tracker.add_page(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(tracker, tracker.add_page(page("e"), ONE))
    assert tracker.checkpoint() == Checkpoint((ScanSegment(0, 2, "b"),), ("a", "b")), "c and d are read again"


def test_recorded_recipients_are_kept_when_list_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast_progress, "MAX_RETRIED", 2)
    tracker = CheckpointTracker(Checkpoint((ONE,), ("a", "b")))
    (listed,) = tracker.retries()
    settle(tracker, tracker.add_page(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(tracker, listed, Failed("again"))
    progress = tracker.checkpoint()
    assert (progress.parts, sorted(progress.retries)) == ((ONE,), ["a", "b"])


def test_delegated_parts_are_settled_except_local_ones() -> None:
    tracker = CheckpointTracker(Checkpoint((ONE, TWO), ("a",)))
    tracker.delegate([])
    assert tracker.checkpoint().finished
    left = ScanSegment(7, 9)
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
def test_no_recipient_is_lost_wherever_it_stops(
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


MESSAGE = Message("01HF7YAT00AAAAAAAAAAAAAAAA", "at eight", "operator", "", 1_700_000_000_000, "announcement")


@pytest.mark.parametrize(
    ("message", "to_user", "different"),
    [
        (MESSAGE, "7", ""),
        (replace(MESSAGE, id="01HF7YAT00BBBBBBBBBBBBBBBB", date=1), "7", ""),
        (replace(MESSAGE, message="at nine"), "7", "the text"),
        (replace(MESSAGE, message="at nine"), "", "the recipient"),
        (replace(MESSAGE, uname="kim"), "7", "the sender's name"),
        (MESSAGE, "", "the recipient"),
    ],
)
def test_an_announcement_differs_by_text_sender_or_recipient(
    message: Message, to_user: str, different: str
) -> None:
    record = BroadcastRecord(MESSAGE.id, json.dumps(to_json_dict(MESSAGE)), "7")
    assert difference(message, to_user, record) == different
