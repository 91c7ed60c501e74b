"""A large room cut into segments, and what they write down, by values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nwchat.delivery.tally import NUMBERS, Counts
from nwchat.large_rooms import segments
from nwchat.large_rooms.segments import MAX_HOPS, MAX_SEGMENTS, MIN_SEGMENTS, Segment

ONE = Segment("frame", "id", 1, 4, 2000.0, start="c7", hops=2, skip=("a", "b"), report="sent#x")


@pytest.mark.parametrize(
    ("rows", "size", "wanted"),
    [(0, 100, MIN_SEGMENTS), (400, 100, 4), (401, 100, 5), (1_000_000, 25_000, 40), (10**9, 1, MAX_SEGMENTS)],
)
def test_how_many(rows: int, size: int, wanted: int) -> None:
    assert segments.segment_count(rows, size) == wanted


def test_together_they_are_the_room_at_the_whole_rate() -> None:
    made = segments.split_room(
        "f", "id", rows=1000, segment_size=200, rate=8000, skip=["b", "a", "b"], report="r"
    )
    assert [(each.segment, each.segments) for each in made] == [(i, 5) for i in range(5)]
    assert {each.rate for each in made} == {1600.0}
    assert {each.skip for each in made} == {("a", "b")}
    assert {(each.frame, each.message_id, each.report, each.start, each.hops) for each in made} == {
        ("f", "id", "r", None, 0)
    }


@pytest.mark.parametrize(
    "segment",
    [ONE, replace(ONE, report_rows=True), Segment("f", "id", 0, 4, 0.5), replace(ONE, frame="\u2028 ü")],
)
def test_an_event_and_back(segment: Segment) -> None:
    assert segments.from_event(json.loads(json.dumps(segments.to_event(segment)))) == segment


@pytest.mark.parametrize(
    "fault",
    [
        {"frame": ""},
        {"frame": None},
        {"message_id": 3},
        {"segment": -1},
        {"segment": 4},
        {"segment": True},
        {"segments": "4"},
        {"rate": 0},
        {"rate": float("inf")},
        {"rate": True},
        {"skip": "a"},
        {"skip": [1]},
        {"start": 5},
        {"report": ""},
        {"hops": None},
    ],
    ids=str,
)
def test_what_is_no_segment(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fault))):
        segments.from_event({**segments.to_event(ONE), **fault})


@pytest.mark.parametrize("event", [None, [], "x"])
def test_what_is_no_event(event: object) -> None:
    with pytest.raises(ValueError, match="not an object"):
        segments.from_event(event)


def test_number_of_continuations_is_bounded() -> None:
    assert segments.remainder_of(ONE, "c9") == replace(ONE, start="c9", hops=3)
    assert segments.remainder_of(replace(ONE, hops=MAX_HOPS), "c9") is None


def written(*parts: tuple[Segment, Counts, bool]) -> dict[str, Any]:
    return {
        segments.report_name(segment): segments.report_value(counts, done=done)
        for segment, counts, done in parts
    }


def test_reports_are_summed_and_a_retry_counts_once() -> None:
    first, second = Segment("f", "id", 0, 4, 1.0), Segment("f", "id", 11, 40, 1.0)
    row = {
        "room": {"S": "sent#x"},
        "seg_note": {"S": "not one of ours"},
        **written((first, Counts(recipients=9, failed=9), False)),
        **written(
            # The same invocation again, its further one, and another segment.
            (first, Counts(5, delivered=4, gone=1, forgotten=1, retries=2, reasons=(("a", 1),)), False),
            (replace(first, hops=1), Counts(2, 1, failed=1, reasons=(("a", 1), ("b", 3))), True),
            (second, Counts(1, refused=1), False),
        ),
    }
    assert segments.progress_of(row) == segments.SegmentProgress(
        Counts(8, 5, 1, 1, refused=1, failed=1, retries=2, reasons=(("b", 3), ("a", 2))), finished=1
    )


def test_a_row_without_reports() -> None:
    assert segments.progress_of({}) == segments.SegmentProgress(Counts(), 0)


def test_an_event_of_an_earlier_release_asks_for_no_rows() -> None:
    event = segments.to_event(ONE)
    del event["report_rows"]
    assert segments.from_event(event) == ONE


def test_each_invocation_reports_in_a_small_row_of_its_own() -> None:
    """The largest one: as many reasons as are kept, each as long as can be."""
    reasons = tuple((f"{number}" * 2_000, 10**9) for number in range(1, 10))
    numbers: dict[str, Any] = dict.fromkeys(NUMBERS, 10**9)
    counts = Counts(**numbers, reasons=reasons)
    rows = [
        segments.report_row(
            replace(ONE, segment=number, hops=hops), segments.report_value(counts, done=hops == 1), 7
        )
        for number in range(MAX_SEGMENTS)
        for hops in (0, 1)
    ]
    assert len({(row["room"]["S"], row["id"]["S"]) for row in rows}) == 2 * MAX_SEGMENTS
    assert all(row["id"]["S"].startswith(segments.report_row_prefix("id")) for row in rows)
    assert max(len(json.dumps(row)) for row in rows) < 3_000
    assert {row["expires_at"]["N"] for row in rows} == {"7"}
    reports: dict[str, Any] = {}
    for row in rows:
        reports |= segments.reports_in(row)
    progress = segments.progress_of(reports)
    assert (progress.finished, progress.counts.recipients) == (MAX_SEGMENTS, 2 * MAX_SEGMENTS * 10**9)
    assert segments.reports_in({"id": {"S": "-"}}) == {}
