"""The thread that renews the deploy lock and the lease of a broadcast."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nwchatctl.aws.dynamodb.broadcasts import CheckpointNotSaved
from nwchatctl.chat.broadcast_progress import BroadcastRecord, Checkpoint
from nwchatctl.deploy.lock import LEASE_MS, LockHolder
from nwchatctl.errors import ChatError
from nwchatctl.operations.broadcast.lease import HeldLease, own_lease
from nwchatctl.operations.heartbeat import Heartbeat
from nwchatctl.operations.lock import _HeldLock


class Turns(threading.Event):
    """An event that is set after so many waits, none of which takes time."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._number = number

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set() or len(self.waits) > self._number


def beats(number: int, answers: Sequence[bool] = ()) -> tuple[Heartbeat, list[int], Turns]:
    """A heartbeat of `number` turns that has ended; what was called; the waits."""
    calls: list[int] = []
    turns = Turns(number)

    def renew() -> bool:
        calls.append(len(turns.waits))
        return answers[len(calls) - 1] if answers else True

    heartbeat = Heartbeat(renew, 7.0, name="test", stopped=turns)
    heartbeat.run()
    return heartbeat, calls, turns


def test_it_renews_after_each_interval() -> None:
    heartbeat, calls, turns = beats(3)
    assert calls == [1, 2, 3]
    assert turns.waits == [7.0] * 4
    assert heartbeat.lost is False


def test_a_lost_lease_ends_it() -> None:
    heartbeat, calls, _ = beats(9, [True, False])
    assert (calls, heartbeat.lost) == ([1, 2], True)


def test_one_that_is_stopped_renews_no_more() -> None:
    turns = Turns(9)
    heartbeat = Heartbeat(lambda: False, 7.0, name="test", stopped=turns)
    heartbeat.stop()
    heartbeat.start()
    heartbeat.join()
    assert (heartbeat.lost, turns.waits) == (False, [7.0])


def test_it_does_not_keep_the_process_alive() -> None:
    assert Heartbeat(lambda: True, 7.0, name="test").daemon


class Deploys:
    """The table of the deploy lock: what each renewal does, and until when the lock was put off."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.until: list[int] = []
        self._answers = iter(answers)

    def renew_lock(self, holder: LockHolder) -> bool:
        self.until.append(holder.expires_at)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_lock_is_valid_as_long_as_it_is_renewed() -> None:
    now = [0]
    deploys: Any = Deploys(True, RuntimeError("no network"))
    holder = LockHolder("token", "kim", "host", "process", "deploy", 0, LEASE_MS, "")
    lock = _HeldLock(deploys, holder, lambda: now[0])
    now[0] = 10_000
    assert lock._renew() is True
    now[0] = LEASE_MS + 10_000
    lock.check()
    # A renewal that failed is repeated, but the lock ends when nothing has put it off.
    assert lock._renew() is True
    now[0] += 1
    with pytest.raises(ChatError) as raised:
        lock.check()
    assert raised.value.code == "lock_lost"
    assert deploys.until == [10_000 + LEASE_MS, LEASE_MS + 10_000 + LEASE_MS]


def test_a_lock_that_another_process_took_is_lost_at_once() -> None:
    deploys: Any = Deploys(False)
    holder = LockHolder("token", "kim", "host", "process", "deploy", 0, LEASE_MS, "")
    lock = _HeldLock(deploys, holder, lambda: 0)
    lock.heartbeat._stopped = Turns(9)
    lock.heartbeat.run()
    with pytest.raises(ChatError) as raised:
        lock.check()
    assert (raised.value.code, len(deploys.until)) == ("lock_lost", 1)


class Rows:
    """The row of a broadcast: what each save does, and what was saved."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.saved: list[BroadcastRecord] = []
        self._answers = iter(answers)

    def save(self, record: BroadcastRecord, _: object) -> bool:
        self.saved.append(record)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def held(rows: Rows, warnings: list[str]) -> HeldLease:
    """A lease whose heartbeat has run its turns."""
    caller = SimpleNamespace(name="kim")
    app: Any = SimpleNamespace(
        cloud=SimpleNamespace(caller=caller), now_ms=lambda: 5_000, warn=warnings.append
    )
    untyped: Any = rows
    lease = HeldLease(app, untyped, BroadcastRecord("01HX", "{}", "", lease=own_lease(app)))
    lease._heartbeat._stopped = Turns(2)
    return lease


def test_the_last_save_of_a_broadcast_releases_its_lease() -> None:
    rows, warnings = Rows(True, CheckpointNotSaved("no network"), True), list[str]()
    lease = held(rows, warnings)
    lease.offer(Checkpoint(retries=("a",)))
    with lease:
        lease._heartbeat.join()
        lease.close(Checkpoint((), ()))
    assert [each.lease is None for each in rows.saved] == [False, False, True]
    assert [each.checkpoint.retries for each in rows.saved] == [("a",), ("a",), ()]
    assert (lease.lost, warnings) == (False, [])


def test_a_last_save_that_fails_is_a_warning() -> None:
    rows, warnings = Rows(True, True, CheckpointNotSaved("no network")), list[str]()
    lease = held(rows, warnings)
    lease._heartbeat.start()
    lease._heartbeat.join()
    lease.close(Checkpoint())
    assert warnings == ["how far it came could not be written down: no network"]


def test_a_broadcast_that_was_taken_over_saves_nothing_more() -> None:
    rows = Rows(False)
    lease = held(rows, [])
    lease._heartbeat.start()
    lease._heartbeat.join()
    lease.close(Checkpoint())
    assert (lease.lost, len(rows.saved)) == (True, 1)
