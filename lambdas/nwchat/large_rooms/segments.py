"""Segments of a large room: their number, their events, and their progress. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from nwchat.delivery.tally import NUMBERS, Counts
from nwchat.model.rows import Row
from nwchat.values import asdict, dataclass, replace

MIN_SEGMENTS = 4
"""Minimum number of segments, whatever the table's item count: the count is up to six hours old (DynamoDB API
reference, ItemCount), and one function alone cannot use an account's whole request quota."""

MAX_SEGMENTS = 100
"""Maximum number of segments: each takes an Invoke call, and an account runs 1,000 functions concurrently."""

MAX_HOPS = 10
"""How often a segment may continue in a further invocation. Lambda stops a function that invokes itself after
about 16 times (recursive loop detection), without a visible error."""

MAX_EVENT_BYTES = 1_000_000
"""Lambda accepts 1 MB in an asynchronous invocation (Lambda quotas)."""

_PREFIX = "seg_"
_MAX_REASONS = 5
_MAX_REASON_CHARS = 300

REPORT_SECONDS = 86_400
"""How long a report's row is kept after it was written: as long as the id of an announcement."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a fan-out: post `frame` to scan segment `segment` of `segments`, except `skip`.

    `rate` is in posts a second, for this segment. `start` is the connection id to continue after, None at the
    beginning; `hops` counts the continuations. `report` is the partition key of the rows that receive the
    counts, None for none. Without `report_rows` the counts are attributes of the announcement's own row: an
    earlier release of the tool asks for that.
    """

    frame: str
    message_id: str
    segment: int
    segments: int
    rate: float
    start: str | None = None
    hops: int = 0
    skip: tuple[str, ...] = ()
    report: str | None = None
    report_rows: bool = False


def segment_count(rows: int, segment_size: int) -> int:
    """The number of segments for `rows` connections."""
    return max(MIN_SEGMENTS, min(MAX_SEGMENTS, math.ceil(rows / segment_size)))


def split_room(
    frame: str,
    message_id: str,
    *,
    rows: int,
    segment_size: int,
    rate: float,
    skip: Iterable[str] = (),
    report: str | None = None,
    report_rows: bool = False,
) -> tuple[Segment, ...]:
    """All segments of one fan-out. `rate` is in posts a second over all segments."""
    segments = segment_count(rows, segment_size)
    return tuple(
        Segment(
            frame,
            message_id,
            each,
            segments,
            rate / segments,
            skip=tuple(sorted(set(skip))),
            report=report,
            report_rows=report_rows,
        )
        for each in range(segments)
    )


def remainder_of(segment: Segment, last: str) -> Segment | None:
    """The rest of the segment, after the connection `last`; None when it has been continued too often."""
    if segment.hops >= MAX_HOPS:
        return None
    return replace(segment, start=last, hops=segment.hops + 1)


def to_event(segment: Segment) -> dict[str, Any]:
    """The segment as the function's event, which is JSON."""
    return {**asdict(segment), "skip": list(segment.skip)}


def from_event(event: object) -> Segment:
    """The segment in an event made by `to_event`. Raises ValueError that names the invalid field."""
    if not isinstance(event, Mapping):
        raise ValueError("the event is not an object")
    skip = event.get("skip") or []
    if not isinstance(skip, list) or not all(isinstance(each, str) for each in skip):
        raise ValueError("skip must be a list of connection ids")
    segment, segments = _whole(event, "segment"), _whole(event, "segments")
    if not segment < segments:
        raise ValueError("segment must be below segments")
    rate = event.get("rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise ValueError("rate must be a number of posts a second")
    return Segment(
        _text(event, "frame"),
        _text(event, "message_id"),
        segment,
        segments,
        float(rate),
        _text_or_none(event, "start"),
        _whole({"hops": 0, **event}, "hops"),
        tuple(skip),
        _text_or_none(event, "report"),
        event.get("report_rows") is True,
    )


def _whole(event: Mapping[str, Any], name: str) -> int:
    value = event.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number")
    return value


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a text")
    return value


def _text_or_none(event: Mapping[str, Any], name: str) -> str | None:
    return None if event.get(name) is None else _text(event, name)


# Reports ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SegmentProgress:
    """The counts of all segments so far, and the number of finished segments."""

    counts: Counts
    finished: int


def report_name(segment: Segment) -> str:
    """The attribute for the counts of this invocation. A retry overwrites it."""
    return f"{_PREFIX}{segment.segment}_{segment.hops}"


def report_value(counts: Counts, *, done: bool) -> dict[str, Any]:
    """The attribute's value, in DynamoDB's typed JSON. `done`: the segment is at its end."""
    numbers = {each: {"N": str(getattr(counts, each))} for each in NUMBERS}
    reasons = {
        reason[:_MAX_REASON_CHARS]: {"N": str(times)} for reason, times in counts.reasons[:_MAX_REASONS]
    }
    return {"M": {**numbers, "reasons": {"M": reasons}, "done": {"BOOL": done}}}


def report_row_prefix(message_id: str) -> str:
    """How the sort keys of the rows of one announcement's reports begin."""
    return f"{_PREFIX}{message_id}#"


def report_row(segment: Segment, value: Mapping[str, Any], expires_at: int) -> dict[str, Any]:
    """The row for the counts of this invocation, at most 2 KB. A retry overwrites it.

    A row of its own for each invocation: one row for all would grow with the room, and DynamoDB bills and
    limits each write by the size of the whole row (1 KB for a write unit, 1,000 units a second in a
    partition, 400 KB for a row; DynamoDB developer guide). MAX_SEGMENTS invocations at the same time write at
    most 100 units a second."""
    key = report_row_prefix(segment.message_id) + report_name(segment).removeprefix(_PREFIX)
    return {
        "room": {"S": segment.report},
        "id": {"S": key},
        "report": value,
        "expires_at": {"N": str(expires_at)},
    }


def reports_in(row: Row) -> dict[str, Any]:
    """The report in a row of `report_row`, by the name that it has as an attribute (`report_name`)."""
    key = str(row.get("id", {}).get("S", ""))
    return {_PREFIX + key.rpartition("#")[2]: row["report"]} if "report" in row else {}


def progress_of(row: Row) -> SegmentProgress:
    """The sum of the segments' reports in a broadcast's row; other attributes are ignored."""
    totals: dict[str, Any] = dict.fromkeys(NUMBERS, 0)
    reasons: dict[str, int] = {}
    finished = set()
    for name, attribute in row.items():
        if not name.startswith(_PREFIX) or "M" not in attribute:
            continue
        report = attribute["M"]
        for each in NUMBERS:
            totals[each] += int(report.get(each, {}).get("N", 0))
        for reason, times in report.get("reasons", {}).get("M", {}).items():
            reasons[reason] = reasons.get(reason, 0) + int(times["N"])
        if report.get("done", {}).get("BOOL"):
            finished.add(name.removeprefix(_PREFIX).partition("_")[0])
    most_first = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    return SegmentProgress(Counts(**totals, reasons=tuple(most_first)), len(finished))
