"""The longest chain of AWS calls that depend on each other, in one run of the tool.

A clock that counts calls instead of seconds: each thread has one, and it goes on by one with each call that
ends. Work handed to another thread begins at the hour of whoever hands it over; who takes its result turns
the own clock forward to the hour at which it was done. So one call counts as after another exactly where the
program could not have begun it earlier, however many ran beside it and however long they took.

Changes are counted each by itself and then put one behind the other as the plan says (`Plan.after`), because
the executor, which watches all of them, hands a change over when any other has ended.

    python -m bench.deploy.chain -q deploy --yes

runs the command in this process and prints the length of its chain on the last line of stderr.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from nwchatctl.aws.reading import Readers
from nwchatctl.deploy import executor
from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.executor import Outcome
from nwchatctl.deploy.model import Key
from nwchatctl.deploy.planner import Plan


class Clock(threading.local):
    """How many calls, one after the other, this thread's work has taken so far."""

    calls: int = 0


_clock = Clock()


def longest(after: Mapping[Key, frozenset[Key]], calls: Mapping[Key, int]) -> int:
    """The most calls on any way through `after` (what comes before what); a change that is not in `calls` has
    made none.

    >>> a, b, c = ("k", "a"), ("k", "b"), ("k", "c")
    >>> longest({a: frozenset(), b: frozenset({a}), c: frozenset({a})}, {a: 1, b: 5, c: 2})
    6
    """

    @cache
    def until(where: Key) -> int:
        return calls.get(where, 0) + max(map(until, after[where]), default=0)

    return max(map(until, after), default=0)


def install() -> None:
    """Has this process count: botocore's calls, what readers hand over, and what the executor carries out."""
    _count_calls()
    _follow_readers()
    executor.execute = _counted(executor.execute)


def _count_calls() -> None:
    from botocore.client import BaseClient

    # The one method that every call of every client goes through.
    call: Any = vars(BaseClient)["_make_api_call"]

    def counted(self: Any, *args: Any) -> Any:
        try:
            return call(self, *args)
        finally:
            _clock.calls += 1

    BaseClient._make_api_call = counted  # type: ignore[attr-defined]


def _follow_readers() -> None:
    start: Any = Readers.__call__

    def following(self: Readers, call: Callable[..., Any], /, *args: Any, **named: Any) -> Callable[[], Any]:
        began, done = _clock.calls, _clock.calls

        def timed() -> Any:
            nonlocal done
            _clock.calls = began
            try:
                return call(*args, **named)
            finally:
                done = _clock.calls

        result = start(self, timed)

        def taken() -> Any:
            # Who wants the result may have to do the work: still as if it had been done beside.
            own = _clock.calls
            try:
                return result()
            finally:
                _clock.calls = max(own, done)

        return taken

    Readers.__call__ = following  # type: ignore[method-assign]


def _counted(execute: Callable[..., Outcome]) -> Callable[..., Outcome]:
    def counting(plan: Plan, apply: Callable[[Change], None], *args: Any, **named: Any) -> Outcome:
        before, calls = _clock.calls, {}

        def one(change: Change) -> None:
            _clock.calls = 0
            try:
                apply(change)
            finally:
                calls[changed_key(change)] = _clock.calls

        outcome = execute(plan, one, *args, **named)
        _clock.calls = before + longest(plan.after, calls)
        return outcome

    return counting


def main() -> int:
    install()
    from nwchatctl.cli import run

    code = run(sys.argv[1:])
    sys.stderr.write(f"{_clock.calls}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
