"""One message to a large room, simulated: segments, their functions, and the quota that all of them share.

Pure and without AWS; time goes on in steps. What AWS documents is taken from there, what it does not is a
round number that `World` names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nwchat.large_rooms.segments import MAX_HOPS

STEP = 0.02
"""Seconds."""


@dataclass(frozen=True)
class World:
    """What the room is in.

    Quotas: API Gateway 10,000 requests a second an account with a bucket of 5,000; Lambda 1,000 functions at
    once; DynamoDB pages of 1 MB. `others` is what everybody else asks of API Gateway meanwhile. Guessed:
    rows of 250 bytes; 60 ms for a page, 20 ms for an invocation (16 of them at once) and 50 ms until it
    begins, half a second for a cold start, 15 ms for a post. `posts_per_core` is to be measured.
    """

    account_rate: float = 10_000
    bucket: float = 5_000
    rate: float = 8_000
    others: float = 500
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
        """Posts a second that one function is able to make: its share of a core grows with its memory."""
        return self.posts_per_core * min(self.memory_mb / self.core_mb, 1.0)


@dataclass(frozen=True)
class Result:
    """Times in seconds from the message's coming to its being posted to the first half, and to everybody.

    `throttled` are 429s; `longest` is the longest that a function ran; `lost` whom nobody posted to, as
    their segment went on too often.
    """

    half: float
    last: float
    function_seconds: float
    invocations: int
    pages: int
    throttled: int
    longest: float
    lost: int


@dataclass
class _Function:
    rows: int
    begins: float
    posted: float = 0.0
    hops: int = 0
    ends: float = math.inf
    was: float = 0.0
    """Posted by the runs before this one."""
    seconds: list[float] = field(default_factory=list)

    def over(self, now: float) -> None:
        self.seconds.append(now - self.begins)


def simulate(world: World, rows: int, segments: int) -> Result:
    """A message to `rows` connections in so many `segments`, each with its share of the rate."""
    functions = [_Function(each, _begins(world, at)) for at, each in enumerate(_shares(rows, segments))]
    share, tokens, now, half, throttled = world.rate / segments, world.bucket, 0.0, 0.0, 0
    running = functions
    while running:
        now += STEP
        # The bucket fills at the account's rate; everybody else takes from it first.
        tokens = min(world.bucket, tokens + (world.account_rate - world.others) * STEP)
        wanted = [_wants(world, each, share, now) for each in running[: world.concurrency]]
        served = min(1.0, tokens / sum(wanted)) if any(wanted) else 1.0
        for each, want in zip(running, wanted, strict=False):
            each.posted += want * served
            if each.posted >= each.rows - 1e-6:
                each.ends = now
                each.over(now + world.post_seconds)
            elif now - each.begins >= world.timeout_seconds - world.margin_seconds:
                _go_on(world, each, now)
        tokens -= sum(wanted) * served
        throttled += round(sum(wanted) * (1 - served))
        running = [each for each in running if each.ends == math.inf]
        if not half and sum(each.posted for each in functions) >= rows / 2:
            half = now
    runs = [each for function in functions for each in function.seconds]
    return Result(
        half=half + world.post_seconds,
        last=now + world.post_seconds,
        function_seconds=sum(runs) + world.cold_seconds * segments,
        invocations=len(runs),
        pages=sum(max(1, math.ceil(each.rows / world.page_rows)) for each in functions),
        throttled=throttled,
        longest=max(runs),
        lost=round(sum(each.rows - each.posted for each in functions)),
    )


def _shares(rows: int, segments: int) -> list[int]:
    """Hashes spread rows evenly but for chance: one segment in two has some more, the other some less."""
    even = rows / segments
    off = math.sqrt(even) * 2 if segments > 1 else 0.0
    shares = [round(even + (off if each % 2 else -off)) for each in range(segments)]
    shares[-1] += rows - sum(shares)
    return [max(each, 0) for each in shares]


def _begins(world: World, at: int) -> float:
    return (at // world.invoke_at_once + 1) * world.invoke_seconds + world.queue_seconds + world.cold_seconds


def _wants(world: World, function: _Function, share: float, now: float) -> float:
    """What the function would post in this step: as much as it is due, is able to, and has read."""
    ran = now - function.begins
    if ran <= 0:
        return 0.0
    read = int(ran / world.page_seconds) * world.page_rows + function.was
    due = function.was + share * ran - function.posted
    return max(0.0, min(due, world.capacity * STEP, min(read, function.rows) - function.posted))


def _go_on(world: World, function: _Function, now: float) -> None:
    function.over(now)
    if function.hops == MAX_HOPS:
        function.ends = now
        return
    function.hops += 1
    function.was = function.posted
    function.begins = now + world.invoke_seconds + world.queue_seconds


def alone(world: World, rows: int) -> float:
    """Seconds until `message` itself has posted to everybody: no invocation, no further cold start."""
    pages = math.ceil(rows / world.page_rows) * world.page_seconds
    return max(pages, rows / world.capacity) + world.post_seconds
