"""Executes a plan: independent changes concurrently, dependent ones in order, with a clean stop.

It uses threads because boto3 blocks; `apply` carries out the changes. After the first failure, or Ctrl-C, no
further change is started and running ones are awaited, so that the report is true and a second run finds no
unknown half-created resource.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from nwchatctl.deploy.changes import Change, changed_key
from nwchatctl.deploy.model.state import Key
from nwchatctl.deploy.planner import Plan

WORKERS = 8
"""API Gateway's control plane takes 10 requests a second in all (aws-facts: quotas)."""


_TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed change and its error."""

    change: Change
    error: Exception


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The result of a plan; the three parts together are the plan. `left` was not started."""

    applied: tuple[Change, ...]
    failed: tuple[Failure, ...]
    left: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Observer:
    """Callbacks for the start and end of each change; called from the thread that called `execute`.

    `interrupted` is called on Ctrl-C and the like, before running changes are awaited: it can shorten that
    wait. `waiting` is called about once a second while changes run.
    """

    started: Callable[[Change], None] = lambda change: None
    ended: Callable[[Change, Exception | None], None] = lambda change, error: None
    interrupted: Callable[[], None] = lambda: None
    waiting: Callable[[], None] = lambda: None


@dataclass
class _Execution:
    plan: Plan
    applied: list[Change] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    running: dict[Future[None], Change] = field(default_factory=dict)
    started: set[Key] = field(default_factory=set)

    def ready(self) -> list[Change]:
        done = {changed_key(each) for each in self.applied}
        return [
            each
            for each in self.plan.changes
            if changed_key(each) not in self.started and self.plan.after[changed_key(each)] <= done
        ]

    def collect(self, observer: Observer) -> None:
        for future in [each for each in self.running if each.done()]:
            change = self.running.pop(future)
            error = future.exception()
            if error is None:
                self.applied.append(change)
            elif isinstance(error, Exception):
                self.failed.append(Failure(change, error))
            else:
                raise error
            observer.ended(change, error if isinstance(error, Exception) else None)

    def result(self) -> ExecutionResult:
        left = tuple(each for each in self.plan.changes if changed_key(each) not in self.started)
        return ExecutionResult(tuple(self.applied), tuple(self.failed), left)


def execute(
    plan: Plan, apply: Callable[[Change], None], observer: Observer | None = None, *, workers: int = WORKERS
) -> ExecutionResult:
    """Applies every change of `plan` in dependency order, `workers` at a time.

    Exceptions of `apply` become `Failure`s. KeyboardInterrupt and the like are raised once the running
    changes have ended.
    """
    observer = observer or Observer()
    run = _Execution(plan)
    with ThreadPoolExecutor(workers, thread_name_prefix="deploy") as pool:
        try:
            return _run_all(run, pool, apply, observer, workers)
        except KeyboardInterrupt:
            observer.interrupted()
            raise


def _run_all(
    run: _Execution,
    pool: ThreadPoolExecutor,
    apply: Callable[[Change], None],
    observer: Observer,
    workers: int,
) -> ExecutionResult:
    while True:
        if not run.failed:
            # Only as many as can run at once: a change in the pool's queue could not be taken back.
            for change in run.ready()[: workers - len(run.running)]:
                run.started.add(changed_key(change))
                observer.started(change)
                run.running[pool.submit(apply, change)] = change
        if not run.running:
            result = run.result()
            assert run.failed or not result.left, f"changes wait for each other: {result.left}"
            return result
        wait(run.running, timeout=_TURN_SECONDS, return_when=FIRST_COMPLETED)
        observer.waiting()
        run.collect(observer)
