"""How far an announcement has come: what may be left out when it is taken up again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchat.outcome import Delivered, Failed, Gone, Outcome, Refused, Throttled
from nwchat.rows import Recipient
from nwchat.scanning import Found, Part
from nwchatctl.chat import announcing
from nwchatctl.chat.announcing import LEASE_MS, Holder, Ledger, Progress, State, is_free

ONE, TWO = Part(0, 2), Part(1, 2)


def page(*names: str, rest: str = "", part: Part = ONE) -> Found:
    return Found([Recipient(each) for each in names], Part(part.number, part.of, rest) if rest else None)


def settle(ledger: Ledger, recipients: Sequence[Recipient], outcome: Outcome | None = None) -> None:
    for each in recipients:
        ledger.settle(each, outcome or Delivered())


def test_it_begins_with_all_parts_and_is_written_and_read_alike() -> None:
    begun = Progress()
    assert [(each.number, each.of, each.start) for each in begun.parts] == [(n, 4, "") for n in range(4)]
    further = Progress((Part(2, 4, 'id="x"/é'),), ("a", "b="))
    assert [Progress.from_json(each.to_json()) for each in (begun, further)] == [begun, further]
    assert (begun.finished, further.finished, Progress((), ("a",)).finished) == (False, False, False)
    assert Progress((), ()).finished


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"parts": [[1]], "again": []}', '{"parts": 1}'])
def test_what_is_no_progress_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no progress"):
        Progress.from_json(text)


def test_a_part_goes_on_after_the_last_page_with_all_before_it_settled() -> None:
    ledger = Ledger(Progress((ONE, TWO)))
    first = ledger.noted(page("a", "b", rest="b"), ONE)
    second = ledger.noted(page("c", rest="c"), ONE)
    settle(ledger, second)
    assert ledger.progress() == Progress((ONE, TWO)), "the first page is not done with"
    settle(ledger, first[:1])
    assert ledger.progress() == Progress((ONE, TWO))
    settle(ledger, first[1:])
    assert ledger.progress() == Progress((Part(0, 2, "c"), TWO))
    settle(ledger, ledger.noted(page("d", part=TWO), TWO))
    settle(ledger, ledger.noted(page("e"), Part(0, 2, "c")))
    assert ledger.progress().finished


def test_an_empty_page_is_done_with() -> None:
    ledger = Ledger(Progress((ONE,)))
    ledger.noted(page(rest="m"), ONE)
    assert ledger.progress() == Progress((Part(0, 2, "m"),))
    ledger.noted(page(), ONE)
    assert ledger.progress().finished


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
    ledger = Ledger(Progress((ONE,)))
    settle(ledger, ledger.noted(page("a"), ONE), outcome)
    assert ledger.progress() == Progress((), again)


def test_those_not_reached_before_come_first_and_stay_until_they_are() -> None:
    ledger = Ledger(Progress((), ("a", "b", "c")))
    (listed,) = ledger.again()
    assert [each.connection_id for each in listed] == ["a", "b", "c"]
    settle(ledger, listed[:1])
    settle(ledger, listed[1:2], Failed("again"))
    assert ledger.progress() == Progress((), ("b", "c")), "c was not tried yet"


def test_too_many_missed_hold_their_part_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "MOST_AGAIN", 2)
    ledger = Ledger(Progress((ONE,)))
    settle(ledger, ledger.noted(page("a", "b", rest="b"), ONE), Failed("x"))
    settle(ledger, ledger.noted(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(ledger, ledger.noted(page("e"), ONE))
    assert ledger.progress() == Progress((Part(0, 2, "b"),), ("a", "b")), "c and d are read again"


def test_those_not_reached_before_are_never_forgotten_for_want_of_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcing, "MOST_AGAIN", 2)
    ledger = Ledger(Progress((ONE,), ("a", "b")))
    (listed,) = ledger.again()
    settle(ledger, ledger.noted(page("c", "d", rest="d"), ONE), Failed("x"))
    settle(ledger, listed, Failed("again"))
    progress = ledger.progress()
    assert (progress.parts, sorted(progress.again)) == ((ONE,), ["a", "b"])


def test_what_is_handed_over_is_done_with_but_for_what_is_left_here() -> None:
    ledger = Ledger(Progress((ONE, TWO), ("a",)))
    ledger.handed_over([])
    assert ledger.progress().finished
    left = Part(7, 9)
    ledger.handed_over([left])
    assert ledger.progress() == Progress((left,))
    settle(ledger, ledger.noted(page("b", part=left), left))
    assert ledger.progress().finished


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
    pages: list[Found] = []
    at = 0
    for number, size in enumerate(sizes):
        at += size
        last = number == len(sizes) - 1
        pages.append(page(*names[at - size : at], rest="" if last else (names[at - 1] if at else "-")))
    ledger = Ledger(Progress((ONE,)))
    begun: list[Recipient] = []
    reached: set[str] = set()
    for settles, which, outcome in steps:
        if begun and settles:
            each = begun.pop(which % len(begun))
            ledger.settle(each, outcome)
            reached |= set() if isinstance(outcome, Failed) else {each.connection_id}
        elif pages:
            begun += ledger.noted(pages.pop(0), ONE)
    progress = ledger.progress()
    to_come = {name for part in progress.parts for name in names if name > part.start}
    assert set(names) - reached <= {*to_come, *progress.again}


def test_it_is_free_when_nobody_holds_it_or_its_holder_is_no_more() -> None:
    held = State("id", holder=Holder("p", "me", until=1_000_000))
    assert is_free(State("id"), 0, dead=False, silent_ms=0)
    assert not is_free(held, 1_000_000, dead=False, silent_ms=LEASE_MS)
    assert is_free(held, 0, dead=True, silent_ms=0)
    assert is_free(held, 0, dead=False, silent_ms=LEASE_MS + 1)
    assert not is_free(held, 1_120_000, dead=False, silent_ms=0), "clocks differ"
    assert is_free(held, 1_120_001, dead=False, silent_ms=0)
