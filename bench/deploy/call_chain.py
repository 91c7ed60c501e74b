"""The longest chain of AWS calls that depend on each other, in one run of the tool.

A clock that counts calls instead of seconds. Each thread has a clock, which advances by one with each call
that ends. Work that is passed to another thread starts at the clock of the thread that passes it on. A
thread that takes the result advances its own clock to the clock at which the result was ready. So one call
counts as after another exactly where the program could not have started it earlier, however many calls ran
at the same time and however long they took.

The time that AWS needs to create something is not a call. When AWS answers that a resource is not ready,
that answer does not count as a call, and the time since the previous call counts as AWS's own. A late next
request does not count.

Each change is counted separately. The counts are then added along the dependencies of the plan
(`Plan.after`), because the executor watches all changes and starts the next one when any other has ended.

    python -m bench.deploy.call_chain -q deploy --yes

runs the command in this process. The last line of stderr is the number of calls and AWS's own seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.client import BaseClient

from bench.deploy.delay_proxy import DELAY
from nwchatctl.aws.core.parallel import ParallelReads
from nwchatctl.cli import run
from nwchatctl.deploy import executor
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.executor import ExecutionResult
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.planner import Plan


@dataclass(frozen=True, slots=True)
class ChainLength:
    """A number of calls in sequence, and the time (s) that AWS needed to create resources between them."""

    calls: int = 0
    pending_seconds: float = 0.0

    def __add__(self, other: ChainLength) -> ChainLength:
        return ChainLength(self.calls + other.calls, self.pending_seconds + other.pending_seconds)

    def seconds(self, latency: float = DELAY) -> float:
        """The duration when each call takes `latency` seconds."""
        return self.calls * latency + self.pending_seconds


class Clock(threading.local):
    """The length of this thread's chain so far, and when its last call ended (s, monotonic)."""

    length: ChainLength = ChainLength()
    last_call_ended: float = 0.0


_clock = Clock()


def longest_chain(after: Mapping[Key, frozenset[Key]], lengths: Mapping[Key, ChainLength]) -> ChainLength:
    """The longest chain through `after` (the dependencies of each change).

    A change that is not in `lengths` has length zero.

    >>> a, b, c = ("k", "a"), ("k", "b"), ("k", "c")
    >>> after = {a: frozenset(), b: frozenset({a}), c: frozenset({a})}
    >>> longest_chain(after, {a: ChainLength(1), b: ChainLength(5), c: ChainLength(2)})
    ChainLength(calls=6, pending_seconds=0.0)
    """

    @cache
    def length_up_to(key: Key) -> ChainLength:
        return lengths.get(key, ChainLength()) + _longest(map(length_up_to, after[key]))

    return _longest(map(length_up_to, after))


def _longest(lengths: Any) -> ChainLength:
    return max(lengths, key=ChainLength.seconds, default=ChainLength())


def install() -> None:
    """Counts in this process: botocore's calls, parallel reads and the executor's changes."""
    _count_calls()
    _follow_parallel_reads()
    executor.execute = _with_counted_changes(executor.execute)


def is_pending(answer: Any) -> bool:
    """Whether a response of AWS says that a function or a table is not ready yet."""
    description = answer.get("Configuration") or answer.get("Table") or answer
    return (
        description.get("State") == "Pending"
        or description.get("LastUpdateStatus") == "InProgress"
        or description.get("TableStatus") in ("CREATING", "UPDATING")
    )


def _count_calls() -> None:

    # Every call of every client uses this method.
    call: Any = vars(BaseClient)["_make_api_call"]

    def call_and_count(self: Any, operation: str, *args: Any) -> Any:
        answer: Any = {}
        try:
            answer = call(self, operation, *args)
            return answer
        finally:
            before, _clock.last_call_ended = _clock.last_call_ended, time.monotonic()
            # The response to a create is pending too, but it is a call.
            if operation.startswith(("Get", "Describe")) and is_pending(answer):
                _clock.length += ChainLength(pending_seconds=_clock.last_call_ended - before)
            else:
                _clock.length += ChainLength(calls=1)

    BaseClient._make_api_call = call_and_count  # type: ignore[attr-defined]


def _follow_parallel_reads() -> None:
    start: Any = ParallelReads.__call__

    def start_and_follow(
        self: ParallelReads, call: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Callable[[], Any]:
        length_before = length_after = _clock.length

        def run_with_clock() -> Any:
            nonlocal length_after
            _clock.length = length_before
            try:
                return call(*args, **kwargs)
            finally:
                length_after = _clock.length

        result = start(self, run_with_clock)

        def result_with_clock() -> Any:
            # The thread that takes the result may have to run the work itself. It still counts as parallel.
            own_length = _clock.length
            try:
                return result()
            finally:
                _clock.length = _longest([own_length, length_after])

        return result_with_clock

    ParallelReads.__call__ = start_and_follow  # type: ignore[method-assign]


def _with_counted_changes(execute: Callable[..., ExecutionResult]) -> Callable[..., ExecutionResult]:
    def execute_and_count(
        plan: Plan, apply: Callable[[Change], None], *args: Any, **kwargs: Any
    ) -> ExecutionResult:
        before, lengths = _clock.length, {}

        def apply_and_count(change: Change) -> None:
            _clock.length = ChainLength()
            try:
                apply(change)
            finally:
                lengths[changed_key(change)] = _clock.length

        outcome = execute(plan, apply_and_count, *args, **kwargs)
        _clock.length = before + longest_chain(plan.after, lengths)
        return outcome

    return execute_and_count


def main() -> int:
    install()

    code = run(sys.argv[1:])
    sys.stderr.write(f"{_clock.length.calls} {_clock.length.pending_seconds:.3f}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
