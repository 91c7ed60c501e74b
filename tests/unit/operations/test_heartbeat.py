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
from nwchatctl.deploy.lock import TERMS as LOCK
from nwchatctl.errors import ChatError
from nwchatctl.lease import LeaseTerms
from nwchatctl.operations.broadcast.lease import HeldLease
from nwchatctl.operations.heartbeat import Heartbeat
from nwchatctl.operations.lock import _HeldLock
from nwchatctl.process_id import is_dead, this_process


class Turns(threading.Event):
    """An event that is set after so many waits, none of which takes time."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self._number = number

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set() or len(self.waits) > self._number


TERMS = LeaseTerms(valid_seconds=30.0, renew_seconds=7.0)


def beats(number: int, answers: Sequence[bool | None] = ()) -> tuple[Heartbeat, list[int], Turns]:
    """A heartbeat of `number` turns that has ended; what was called; the waits."""
    calls: list[int] = []
    turns = Turns(number)

    def renew() -> bool | None:
        calls.append(len(turns.waits))
        return answers[len(calls) - 1] if answers else True

    heartbeat = Heartbeat(renew, TERMS, name="test", stopped=turns)
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


def test_a_lease_that_is_not_renewed_is_lost_before_others_may_take_it() -> None:
    """A renewal counts from the moment before it was sent: it is unknown when AWS carries it out."""
    now = [0.0]
    answers = iter([(5.0, True), (9.0, None), (23.0, None)])

    def renew() -> bool | None:
        now[0], answer = next(answers)
        return answer

    heartbeat = Heartbeat(renew, TERMS, name="test", stopped=Turns(3), clock=lambda: now[0])
    heartbeat.run()
    assert heartbeat.lost is False
    now[0] = 23.1
    assert heartbeat.lost is True


def test_one_that_is_stopped_renews_no_more() -> None:
    turns = Turns(9)
    heartbeat = Heartbeat(lambda: False, TERMS, name="test", stopped=turns)
    heartbeat.stop()
    heartbeat.start()
    heartbeat.join()
    assert (heartbeat.lost, turns.waits) == (False, [7.0])


def test_it_does_not_keep_the_process_alive() -> None:
    assert Heartbeat(lambda: True, TERMS, name="test").daemon


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
    now = [0.0]
    deploys: Any = Deploys(True, RuntimeError("no network"))
    holder = LockHolder("token", "kim", "host", "process", "deploy", 0, LEASE_MS, "")
    lock = _HeldLock(deploys, holder, lambda: round(now[0] * 1000), lambda: now[0])
    lock.heartbeat._stopped = Turns(2)
    now[0] = 10.0
    lock.heartbeat.run()
    assert deploys.until == [10_000 + LEASE_MS] * 2
    now[0] = 10.0 + LOCK.holder_seconds
    lock.check()
    # A renewal that failed is repeated, but the lock ends when nothing has put it off.
    now[0] += 0.1
    with pytest.raises(ChatError) as raised:
        lock.check()
    assert raised.value.code == "lock_lost"


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
    """The row of a broadcast: what each write does, and what was written."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.saved: list[BroadcastRecord] = []
        self._answers = iter(answers)

    def renew(self, record: BroadcastRecord, _: object) -> bool:
        self.saved.append(record)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    finish = renew


def held(rows: Rows, warnings: list[str]) -> HeldLease:
    """A lease whose heartbeat has run its turns."""
    caller = SimpleNamespace(name="kim")
    app: Any = SimpleNamespace(
        cloud=SimpleNamespace(caller=caller), now_ms=lambda: 5_000, warn=warnings.append
    )
    untyped: Any = rows
    lease = HeldLease(app, untyped)
    lease.hold(BroadcastRecord("01HX", "{}", "", lease=lease.new()))
    lease._heartbeat._stopped = Turns(2)
    lease._heartbeat.start()
    lease._heartbeat.join()
    return lease


def test_the_last_save_of_a_broadcast_follows_its_renewals() -> None:
    rows, warnings = Rows(True, CheckpointNotSaved("no network"), True), list[str]()
    lease = held(rows, warnings)
    assert lease.close(Checkpoint(retries=("a",))) is True
    assert [each.checkpoint.retries for each in rows.saved] == [(), (), ("a",)]
    assert (lease.lost, warnings) == (False, [])


def test_a_last_save_that_fails_is_a_warning() -> None:
    rows, warnings = Rows(True, True, CheckpointNotSaved("no network")), list[str]()
    assert held(rows, warnings).close(Checkpoint()) is True
    assert warnings == ["how far it came could not be written down: no network"]


def test_a_broadcast_that_was_taken_over_is_not_held() -> None:
    rows = Rows(False, False)
    lease = held(rows, [])
    assert lease.lost is True
    assert lease.close(Checkpoint()) is False


def test_a_lost_last_save_is_a_lost_lease() -> None:
    assert held(Rows(True, True, False), []).close(Checkpoint((), ())) is False


def test_each_run_has_a_lease_of_its_own() -> None:
    """Also within one process: after a lost answer a run recognises its own."""
    ours, theirs = held(Rows(True, True), []), held(Rows(True, True), [])
    assert (ours.is_own(ours.new()), ours.is_own(theirs.new()), ours.is_own(None)) == (True, False, False)
    assert ours.new().process.startswith(f"{this_process()}/"), "so that an earlier release knows the process"
    assert is_dead(ours.new().process) is False
