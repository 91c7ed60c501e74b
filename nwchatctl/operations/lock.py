"""Changing the chat while nobody else does: the lock is taken as it was read, kept, and let go."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nwchatctl.aws.core.retry import stop_retrying
from nwchatctl.deploy.lock import (
    LEASE_MS,
    RENEW_SECONDS,
    LockHolder,
    LockState,
    lock_lost_error,
    outdated_plan_error,
    refuse_if_locked,
)
from nwchatctl.process_id import host, is_dead, this_process
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.aws.dynamodb.deploy_table import DeployTable
    from nwchatctl.context import App

Guard = Callable[[], None]
"""Raises ChatError `lock_lost` once the lock is somebody else's."""


def refuse_locked(app: App, seen: LockState, *, force: bool = False) -> LockState:
    """The lock as it is to be taken. Raises ChatError `locked` while somebody alive holds it.

    With `force` nobody is refused: taking it takes it away from whoever was seen to hold it.
    """
    holder = seen.holder
    if holder is None:
        return seen
    if force:
        app.warn(f"the lock is taken away from {holder.owner} on {holder.host}, who runs {holder.command}")
        return seen
    dead = is_dead(holder.process)
    refuse_if_locked(seen, app.now_ms(), dead=dead, unlock=app.command("deploy", "--force-unlock"))
    what = f"{holder.command} of {holder.owner} on {holder.host}"
    app.warn(f"{what} {'died' if dead else 'has not been heard of for long'}: going on from there")
    return seen


def settle(app: App, seen: LockState) -> None:
    """Lets go of the lock of whoever was seen to hold it, when nothing else is left to do; `seen` is what
    `refuse_locked` gave."""
    if seen.holder is not None:
        app.cloud.deploy_table.break_lock(seen)


def at_it(app: App, seen: LockState) -> list[tuple[str, str]]:
    """Who is changing the chat now, or died at it, as a name and what there is to say; empty for nobody."""
    holder = seen.holder
    if holder is None:
        return []
    over = is_dead(holder.process) or holder.expires_at <= app.now_ms()
    said = f"{holder.command} by {holder.owner} on {holder.host}, since {local(holder.started_at)}"
    return [("unfinished" if over else "at it now", said)]


@contextmanager
def locked(app: App, seen: LockState, command: str, target: str = "") -> Iterator[Guard]:
    """Within, the lock is ours; the table for it has to be there. `seen` is what `refuse_locked` gave.

    Who fails on the way to a `target` leaves it in the lock, for the same command to take it up again.

    Raises ChatError `locked` where somebody else was quicker, `changed_meanwhile` where that one is done.
    """
    deploys = app.cloud.deploy_table
    holder = _holder(app, command, target)
    if not deploys.acquire_lock(holder, seen):
        refuse_locked(app, deploys.read().lock)
        raise outdated_plan_error()
    heartbeat = _Keeper(deploys, holder, app.now_ms)
    heartbeat.start()
    unfinished = bool(target)
    try:
        yield heartbeat.check
        unfinished = False
    except KeyboardInterrupt:
        stop_retrying()
        raise
    finally:
        heartbeat.stop()
        if not unfinished:
            _let_go(app, holder)


def _let_go(app: App, holder: LockHolder) -> None:
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


class _Keeper(threading.Thread):
    """Puts off the end of the lock for as long as the command runs."""

    def __init__(self, deploys: DeployTable, holder: LockHolder, now_ms: Callable[[], int]) -> None:
        super().__init__(name="lock", daemon=True)
        self._deploys = deploys
        self._holder = holder
        self._now_ms = now_ms
        self._expires_at = holder.expires_at
        self._done = threading.Event()
        self._lost = False

    def run(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            self._renew()

    def _renew(self) -> None:
        renewed = dataclasses.replace(self._holder, expires_at=self._now_ms() + LEASE_MS)
        try:
            self._lost |= not self._deploys.renew_lock(renewed)
        except Exception:
            return
        self._expires_at = renewed.expires_at

    def check(self) -> None:
        """Raises ChatError `lock_lost` where the lock is not ours any more."""
        if self._lost or self._now_ms() > self._expires_at:
            raise lock_lost_error()

    def stop(self) -> None:
        self._done.set()
        self.join()
