"""The executor: order kept, independent work at once, a failure that stops what has not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from nwchatctl.deploy.changes import Change, Create, changed_key
from nwchatctl.deploy.executor import Observer, execute
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.model.storage import LogGroup
from nwchatctl.deploy.planner import Plan


def chain(*names: str, after: dict[str, set[str]]) -> Plan:
    """A plan of log groups; `after` says what waits for what."""
    changes = tuple(Create(LogGroup(each, 1, ())) for each in names)
    waits = {
        ("log-group", each): frozenset(("log-group", x) for x in after.get(each, set())) for each in names
    }
    return Plan(changes, waits)


def recorder(log: list[str], fail: Callable[[str], bool] = lambda name: False) -> Callable[[Change], None]:
    def apply(change: Change) -> None:
        name = changed_key(change)[1]
        if fail(name):
            raise ValueError(name)
        log.append(name)

    return apply


def names(changes: tuple[Change, ...]) -> list[str]:
    return [changed_key(each)[1] for each in changes]


def test_dependencies_come_first() -> None:
    log: list[str] = []
    plan = chain("c", "b", "a", after={"c": {"b"}, "b": {"a"}})
    outcome = execute(plan, recorder(log))
    assert log == ["a", "b", "c"]
    assert names(outcome.applied) == ["a", "b", "c"]
    assert (outcome.failed, outcome.left) == ((), ())


def test_independent_changes_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=60)

    def apply(change: Change) -> None:
        together.wait()

    outcome = execute(chain("a", "b", "c", after={}), apply, workers=3)
    assert len(outcome.applied) == 3


def test_never_more_than_workers_at_once() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def apply(change: Change) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    execute(chain(*map(str, range(40)), after={}), apply, workers=4)
    assert most[0] <= 4


def test_failure_starts_no_further_changes_and_reports_all() -> None:
    log: list[str] = []
    plan = chain("a", "b", "c", "d", after={"b": {"a"}, "c": {"b"}, "d": {"c"}})
    ended: list[tuple[Key, str]] = []
    watch = Observer(ended=lambda change, error: ended.append((changed_key(change), str(error))))
    outcome = execute(plan, recorder(log, lambda name: name == "b"), watch)
    assert log == ["a"]
    assert names(outcome.applied) == ["a"]
    assert [(changed_key(each.change)[1], str(each.error)) for each in outcome.failed] == [("b", "b")]
    assert names(outcome.left) == ["c", "d"]
    assert ended == [(("log-group", "a"), "None"), (("log-group", "b"), "b")]


def test_concurrent_changes_are_waited_for_after_failure() -> None:
    failed = threading.Event()
    log: list[str] = []

    def apply(change: Change) -> None:
        if changed_key(change)[1] == "bad":
            failed.set()
            raise ValueError
        assert failed.wait(60)
        log.append("slow")

    outcome = execute(chain("bad", "slow", after={}), apply, workers=2)
    assert log == ["slow"]
    assert names(outcome.applied) == ["slow"]


def test_interruption_is_raised_after_running_changes_end() -> None:
    log: list[str] = []

    def started(change: Change) -> None:
        if changed_key(change)[1] == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(chain("a", "b", "c", after={"b": {"a"}}), recorder(log), Observer(started=started), workers=1)
    assert "a" in log
    assert "b" not in log


def test_an_empty_plan_does_nothing() -> None:
    outcome = execute(Plan((), {}), recorder([]))
    assert (outcome.applied, outcome.failed, outcome.left) == ((), (), ())


def test_interruption_is_signalled_before_waiting_for_running_changes() -> None:
    stopped = threading.Event()
    ended: list[str] = []

    def apply(change: Change) -> None:
        assert stopped.wait(60), "the change was waited for without a word"
        ended.append(changed_key(change)[1])

    def started(change: Change) -> None:
        if changed_key(change)[1] == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(chain("a", "b", after={}), apply, Observer(started=started, interrupted=stopped.set))
    assert ended == ["a"]


def test_cyclic_dependencies_are_an_error() -> None:
    log: list[str] = []
    with pytest.raises(AssertionError, match="wait for each other"):
        execute(chain("a", "b", "c", after={"b": {"c"}, "c": {"b"}}), recorder(log))
    assert log == ["a"]
