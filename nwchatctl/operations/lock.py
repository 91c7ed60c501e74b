"""The deploy lock: only one process changes the chat at a time."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nwchatctl.aws.core.retry import stop_retrying
from nwchatctl.deploy.lock import (
    LEASE_MS,
    TERMS,
    LockHolder,
    LockState,
    lock_lost_error,
    locked_error,
    outdated_plan_error,
    refuse_if_locked,
)
from nwchatctl.lease import LeaseWatch
from nwchatctl.operations.heartbeat import Heartbeat
from nwchatctl.process_id import host, is_dead, this_process
from nwchatctl.report import Line, Mark
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.aws.dynamodb.deploy_table import DeployTable
    from nwchatctl.context import App

Guard = Callable[[], None]
"""Raises ChatError `lock_lost` once another process holds the lock."""

_LOOK_SECONDS = 1.0
"""How often a lock is read while it is watched."""


def refuse_locked(app: App, seen: LockState, *, force: bool = False) -> LockState:
    """The lock as it is to be taken. Raises ChatError `locked` while a live process holds it.

    An expired lock is watched for some seconds first, as its holder may be alive and its clock wrong: raises
    `changed_meanwhile` if it was released meanwhile. With `force` the lock is taken away from the holder that
    was seen.
    """
    holder = seen.holder
    if holder is None:
        return seen
    if force:
        app.warn(f"the lock is taken away from {holder.owner} on {holder.host}, who runs {holder.command}")
        return seen
    dead = is_dead(holder.process)
    unlock = app.command("deploy", "--force-unlock")
    refuse_if_locked(seen, app.now_ms(), dead=dead, unlock=unlock)
    if not dead:
        _watch_expired(app, seen, holder, unlock)
    what = f"{holder.command} of {holder.owner} on {holder.host}"
    app.warn(f"{what} {'died' if dead else 'has not been heard of for long'}: going on from there")
    return seen


def _watch_expired(app: App, seen: LockState, holder: LockHolder, unlock: str) -> None:
    """Returns once the expired lock was seen unchanged for long enough."""
    watch = LeaseWatch(TERMS)
    app.say(Line(f"the lock of {holder.owner} on {holder.host} has expired: watching it", Mark.DIM))
    while not watch.may_take_over(
        holder, expires_at=holder.expires_at, now_ms=app.now_ms(), now=time.monotonic(), dead=False
    ):
        time.sleep(_LOOK_SECONDS)
        now = app.cloud.deploy_table.read().lock
        if now.holder is not None and now != seen:
            raise locked_error(now.holder, app.now_ms(), unlock)
        if now != seen:
            raise outdated_plan_error()


def release_lock(app: App, seen: LockState) -> None:
    """Releases the lock of the holder that was seen, when nothing else is left to do; `seen` is what
    `refuse_locked` returned."""
    if seen.holder is not None:
        app.cloud.deploy_table.break_lock(seen)


def lock_holder_rows(app: App, seen: LockState) -> list[tuple[str, str]]:
    """Label and text about the holder of the lock, who changes the chat now or has died; empty for none."""
    holder = seen.holder
    if holder is None:
        return []
    over = is_dead(holder.process) or holder.expires_at <= app.now_ms()
    text = f"{holder.command} by {holder.owner} on {holder.host}, since {local(holder.started_at)}"
    return [("unfinished" if over else "locked", text)]


@contextmanager
def locked(app: App, seen: LockState, command: str, target: str = "") -> Iterator[Guard]:
    """Within, this process holds the lock; its table has to exist. `seen` is what `refuse_locked` returned.

    A command that fails on the way to a `target` leaves the target in the lock, where its next run resumes.

    Raises ChatError `locked` where another process took the lock first, `changed_meanwhile` where that one
    has finished.
    """
    deploys = app.cloud.deploy_table
    holder = _holder(app, command, target)
    # Before the lock is acquired, so that it never counts as valid for longer than AWS has it.
    lock = _HeldLock(deploys, holder, app.now_ms)
    if not deploys.acquire_lock(holder, seen):
        refuse_locked(app, deploys.read().lock)
        raise outdated_plan_error()
    lock.heartbeat.start()
    unfinished = bool(target)
    try:
        yield lock.check
        unfinished = False
    except KeyboardInterrupt:
        stop_retrying()
        raise
    finally:
        lock.heartbeat.stop()
        lock.heartbeat.join()
        if not unfinished:
            _drop(app, holder)


def _drop(app: App, holder: LockHolder) -> None:
    try:
        app.cloud.deploy_table.release_lock(holder)
    except Exception as error:
        app.warn(f"the lock could not be let go of, and expires by itself in two minutes: {error}")


def _holder(app: App, command: str, target: str) -> LockHolder:
    now = app.now_ms()
    return LockHolder(
        token=secrets.token_hex(16),
        owner=app.cloud.caller.name,
        host=host(),
        process=this_process(),
        command=command,
        started_at=now,
        expires_at=now + LEASE_MS,
        target=target,
    )


class _HeldLock:
    """The lock while this process holds it: a heartbeat renews it. `now_ms` is AWS's time."""

    def __init__(
        self,
        deploys: DeployTable,
        holder: LockHolder,
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heartbeat = Heartbeat(self.renew, TERMS, name="lock", clock=clock)
        self._deploys = deploys
        self._holder = holder
        self._now_ms = now_ms

    def renew(self) -> bool | None:
        """Renews the lock once, as `Heartbeat` defines."""
        try:
            return self._deploys.renew_lock(
                dataclasses.replace(self._holder, expires_at=self._now_ms() + LEASE_MS)
            )
        except Exception:
            return None

    def check(self) -> None:
        """Raises ChatError `lock_lost` where the lock is not ours any more."""
        if self.heartbeat.lost:
            raise lock_lost_error()
