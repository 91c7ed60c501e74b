"""Simulates one message to a large room: segments, their functions and the quota that they share.

Pure; time advances in steps. Documented quotas are exact; all else is a round number in `FanoutParameters`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nwchat.large_rooms.segments import MAX_HOPS

STEP = 0.02
"""Seconds."""


@dataclass(frozen=True)
class FanoutParameters:
    """What the simulation assumes about AWS.

    Quotas: API Gateway 10,000 requests a second an account with a bucket of 5,000; Lambda 1,000 functions at
    once; DynamoDB pages of 1 MB. `other_rate` is the rate of all other requests to API Gateway. Assumed:
    rows of 250 bytes; 60 ms for a page, 20 ms for an invocation (16 of them at once) and 50 ms until it
    starts, half a second for a cold start, 15 ms for a post. `posts_per_core` is to be measured.
    """

    account_rate: float = 10_000
    bucket: float = 5_000
    rate: float = 8_000
    other_rate: float = 500
    concurrency: int = 1_000
    page_rows: int = 1_048_576 // 250
    page_seconds: float = 0.06
    invoke_seconds: float = 0.02
    invoke_at_once: int = 16
    queue_seconds: float = 0.05
    cold_seconds: float = 0.5
    post_seconds: float = 0.015
    posts_per_core: float = 2_000
    core_mb: int = 1_769
    memory_mb: int = 1_769
    timeout_seconds: float = 300
    margin_seconds: float = 10

    @property
    def capacity(self) -> float:
        """Posts per second of one function. Its share of a core grows with its memory."""
        return self.posts_per_core * min(self.memory_mb / self.core_mb, 1.0)


@dataclass(frozen=True)
class Result:
    """`half_seconds` and `last_seconds`: from receiving the message to the post to half, and to all.

    `throttled` counts 429 responses. `longest_run` is in seconds. `lost` counts connections without a post,
    because their segment continued too often.
    """

    half_seconds: float
    last_seconds: float
    function_seconds: float
    invocations: int
    pages: int
    throttled: int
    longest_run: float
    lost: int


@dataclass
class _Function:
    rows: int
    starts_at: float
    posted: float = 0.0
    hops: int = 0
    ends_at: float = math.inf
    posted_before: float = 0.0
    """Posts of the earlier runs."""
    seconds: list[float] = field(default_factory=list)

    def end_run(self, now: float) -> None:
        self.seconds.append(now - self.starts_at)


def simulate(parameters: FanoutParameters, rows: int, segments: int) -> Result:
    """Simulates a message to `rows` connections in `segments` segments, each with its share of the rate."""
    functions = [
        _Function(each, _start_time(parameters, number))
        for number, each in enumerate(_segment_rows(rows, segments))
    ]
    share, tokens, now, half_seconds, throttled = parameters.rate / segments, parameters.bucket, 0.0, 0.0, 0
    running = functions
    while running:
        now += STEP
        # The bucket fills at the account's rate. Other requests take from it first.
        tokens = min(parameters.bucket, tokens + (parameters.account_rate - parameters.other_rate) * STEP)
        wanted = [_wanted_posts(parameters, each, share, now) for each in running[: parameters.concurrency]]
        served = min(1.0, tokens / sum(wanted)) if any(wanted) else 1.0
        for each, want in zip(running, wanted, strict=False):
            each.posted += want * served
            if each.posted >= each.rows - 1e-6:
                each.ends_at = now
                each.end_run(now + parameters.post_seconds)
            elif now - each.starts_at >= parameters.timeout_seconds - parameters.margin_seconds:
                _continue_later(parameters, each, now)
        tokens -= sum(wanted) * served
        throttled += round(sum(wanted) * (1 - served))
        running = [each for each in running if each.ends_at == math.inf]
        if not half_seconds and sum(each.posted for each in functions) >= rows / 2:
            half_seconds = now
    runs = [each for function in functions for each in function.seconds]
    return Result(
        half_seconds=half_seconds + parameters.post_seconds,
        last_seconds=now + parameters.post_seconds,
        function_seconds=sum(runs) + parameters.cold_seconds * segments,
        invocations=len(runs),
        pages=sum(max(1, math.ceil(each.rows / parameters.page_rows)) for each in functions),
        throttled=throttled,
        longest_run=max(runs),
        lost=round(sum(each.rows - each.posted for each in functions)),
    )


def _segment_rows(rows: int, segments: int) -> list[int]:
    """The rows of each segment. Hashes distribute them evenly but for chance: every other one has more."""
    even = rows / segments
    deviation = math.sqrt(even) * 2 if segments > 1 else 0.0
    shares = [round(even + (deviation if each % 2 else -deviation)) for each in range(segments)]
    shares[-1] += rows - sum(shares)
    return [max(each, 0) for each in shares]


def _start_time(parameters: FanoutParameters, number: int) -> float:
    return (
        (number // parameters.invoke_at_once + 1) * parameters.invoke_seconds
        + parameters.queue_seconds
        + parameters.cold_seconds
    )


def _wanted_posts(parameters: FanoutParameters, function: _Function, share: float, now: float) -> float:
    """Posts of the function in this step: limited by its rate, its capacity and the rows it has read."""
    ran = now - function.starts_at
    if ran <= 0:
        return 0.0
    read = int(ran / parameters.page_seconds) * parameters.page_rows + function.posted_before
    due = function.posted_before + share * ran - function.posted
    return max(0.0, min(due, parameters.capacity * STEP, min(read, function.rows) - function.posted))


def _continue_later(parameters: FanoutParameters, function: _Function, now: float) -> None:
    function.end_run(now)
    if function.hops == MAX_HOPS:
        function.ends_at = now
        return
    function.hops += 1
    function.posted_before = function.posted
    function.starts_at = now + parameters.invoke_seconds + parameters.queue_seconds


def seconds_without_fanout(parameters: FanoutParameters, rows: int) -> float:
    """Seconds until `message` itself has posted to all: no invocation, no other cold start."""
    pages = math.ceil(rows / parameters.page_rows) * parameters.page_seconds
    return max(pages, rows / parameters.capacity) + parameters.post_seconds
