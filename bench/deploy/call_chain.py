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
from nwchatctl.deploy.executor import Outcome
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.planner import Plan


@dataclass(frozen=True, slots=True)
class ChainLength:
    """Calls one after the other, and how long AWS was making things between them (s)."""

    calls: int = 0
    pending_seconds: float = 0.0

    def __add__(self, other: ChainLength) -> ChainLength:
        return ChainLength(self.calls + other.calls, self.pending_seconds + other.pending_seconds)

    def seconds(self, latency: float = DELAY) -> float:
        """How long it takes where each call takes `latency`."""
        return self.calls * latency + self.pending_seconds


class Clock(threading.local):
    """What this thread's work has taken so far, and when its last call ended."""

    length: ChainLength = ChainLength()
    last_call_ended: float = 0.0


_clock = Clock()


def longest_chain(after: Mapping[Key, frozenset[Key]], lengths: Mapping[Key, ChainLength]) -> ChainLength:
    """The longest way through `after` (what comes before what); a change that is not in `ways` took nothing.

    >>> a, b, c = ("k", "a"), ("k", "b"), ("k", "c")
    >>> longest({a: frozenset(), b: frozenset({a}), c: frozenset({a})}, {a: Way(1), b: Way(5), c: Way(2)})
    Way(calls=6, making=0.0)
    """

    @cache
    def length_up_to(key: Key) -> ChainLength:
        return lengths.get(key, ChainLength()) + _longest(map(length_up_to, after[key]))

    return _longest(map(length_up_to, after))


def _longest(lengths: Any) -> ChainLength:
    return max(lengths, key=ChainLength.seconds, default=ChainLength())


def install() -> None:
    """Has this process count: botocore's calls, what readers hand over, and what the executor carries out."""
    _count_calls()
    _follow_parallel_reads()
    executor.execute = _with_counted_changes(executor.execute)


def is_pending(answer: Any) -> bool:
    """Whether AWS says of a function or a table that it is not ready yet."""
    description = answer.get("Configuration") or answer.get("Table") or answer
    return (
        description.get("State") == "Pending"
        or description.get("LastUpdateStatus") == "InProgress"
        or description.get("TableStatus") in ("CREATING", "UPDATING")
    )


def _count_calls() -> None:
    from botocore.client import BaseClient

    # The one method that every call of every client goes through.
    call: Any = vars(BaseClient)["_make_api_call"]

    def call_and_count(self: Any, operation: str, *args: Any) -> Any:
        answer: Any = {}
        try:
            answer = call(self, operation, *args)
            return answer
        finally:
            before, _clock.last_call_ended = _clock.last_call_ended, time.monotonic()
            # The answer to a create says so as well, and is the end of a call.
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
            # Who wants the result may have to do the work: still as if it had been done beside.
            own_length = _clock.length
            try:
                return result()
            finally:
                _clock.length = _longest([own_length, length_after])

        return result_with_clock

    ParallelReads.__call__ = start_and_follow  # type: ignore[method-assign]


def _with_counted_changes(execute: Callable[..., Outcome]) -> Callable[..., Outcome]:
    def execute_and_count(plan: Plan, apply: Callable[[Change], None], *args: Any, **kwargs: Any) -> Outcome:
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
    from nwchatctl.cli import run

    code = run(sys.argv[1:])
    sys.stderr.write(f"{_clock.length.calls} {_clock.length.pending_seconds:.3f}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
