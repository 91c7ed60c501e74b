"""The longest chain of AWS calls that depend on each other, in one run of the tool.

A clock that counts calls instead of seconds: each thread has one, and it goes on by one with each call that
ends. Work handed to another thread begins at the hour of whoever hands it over; who takes its result turns
the own clock forward to the hour at which it was done. So one call counts as after another exactly where the
program could not have begun it earlier, however many ran beside it and however long they took.

What AWS takes to make something is no call. Where it is asked and says that it is not ready, that answer
counts as nothing, and the time since the call before it as AWS's own. How late the tool asks again does not.

Changes are counted each by itself and then put one behind the other as the plan says (`Plan.after`), because
the executor, which watches all of them, hands a change over when any other has ended.

    python -m bench.deploy.call_chain -q deploy --yes

runs the command in this process and prints, on the last line of stderr, the calls and AWS's own seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.deploy.delay_proxy import DELAY
from nwchatctl.aws.core.parallel import ParallelReads
from nwchatctl.deploy import executor
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.executor import ExecutionResult
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.planner import Plan


@dataclass(frozen=True, slots=True)
class Way:
    """Calls one after the other, and how long AWS was making things between them (s)."""

    calls: int = 0
    making: float = 0.0

    def __add__(self, other: Way) -> Way:
        return Way(self.calls + other.calls, self.making + other.making)

    def seconds(self, latency: float = DELAY) -> float:
        """How long it takes where each call takes `latency`."""
        return self.calls * latency + self.making


class Clock(threading.local):
    """What this thread's work has taken so far, and when its last call ended."""

    way: Way = Way()
    last: float = 0.0


_clock = Clock()


def longest(after: Mapping[Key, frozenset[Key]], ways: Mapping[Key, Way]) -> Way:
    """The longest way through `after` (what comes before what); a change that is not in `ways` took nothing.

    >>> a, b, c = ("k", "a"), ("k", "b"), ("k", "c")
    >>> longest({a: frozenset(), b: frozenset({a}), c: frozenset({a})}, {a: Way(1), b: Way(5), c: Way(2)})
    Way(calls=6, making=0.0)
    """

    @cache
    def until(where: Key) -> Way:
        return ways.get(where, Way()) + _later(map(until, after[where]))

    return _later(map(until, after))


def _later(ways: Any) -> Way:
    return max(ways, key=Way.seconds, default=Way())


def install() -> None:
    """Has this process count: botocore's calls, what readers hand over, and what the executor carries out."""
    _count_calls()
    _follow_readers()
    executor.execute = _counted(executor.execute)


def being_made(answer: Any) -> bool:
    """Whether AWS says of a function or a table that it is not ready yet."""
    about = answer.get("Configuration") or answer.get("Table") or answer
    return (
        about.get("State") == "Pending"
        or about.get("LastUpdateStatus") == "InProgress"
        or about.get("TableStatus") in ("CREATING", "UPDATING")
    )


def _count_calls() -> None:
    from botocore.client import BaseClient

    # The one method that every call of every client goes through.
    call: Any = vars(BaseClient)["_make_api_call"]

    def counted(self: Any, operation: str, *args: Any) -> Any:
        answer: Any = {}
        try:
            answer = call(self, operation, *args)
            return answer
        finally:
            before, _clock.last = _clock.last, time.monotonic()
            # The answer to a create says so as well, and is the end of a call.
            if operation.startswith(("Get", "Describe")) and being_made(answer):
                _clock.way += Way(making=_clock.last - before)
            else:
                _clock.way += Way(calls=1)

    BaseClient._make_api_call = counted  # type: ignore[attr-defined]


def _follow_readers() -> None:
    start: Any = ParallelReads.__call__

    def following(
        self: ParallelReads, call: Callable[..., Any], /, *args: Any, **named: Any
    ) -> Callable[[], Any]:
        began = done = _clock.way

        def timed() -> Any:
            nonlocal done
            _clock.way = began
            try:
                return call(*args, **named)
            finally:
                done = _clock.way

        result = start(self, timed)

        def taken() -> Any:
            # Who wants the result may have to do the work: still as if it had been done beside.
            own = _clock.way
            try:
                return result()
            finally:
                _clock.way = _later([own, done])

        return taken

    ParallelReads.__call__ = following  # type: ignore[method-assign]


def _counted(execute: Callable[..., ExecutionResult]) -> Callable[..., ExecutionResult]:
    def counting(plan: Plan, apply: Callable[[Change], None], *args: Any, **named: Any) -> ExecutionResult:
        before, ways = _clock.way, {}

        def one(change: Change) -> None:
            _clock.way = Way()
            try:
                apply(change)
            finally:
                ways[changed_key(change)] = _clock.way

        outcome = execute(plan, one, *args, **named)
        _clock.way = before + longest(plan.after, ways)
        return outcome

    return counting


def main() -> int:
    install()
    from nwchatctl.cli import run

    code = run(sys.argv[1:])
    sys.stderr.write(f"{_clock.way.calls} {_clock.way.making:.3f}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
