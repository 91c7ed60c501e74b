"""Whose lock counts, and how a refusal reads."""

from __future__ import annotations

import pytest

from nwchatctl.deploy.lock import LockHolder, LockState, refuse_if_locked
from nwchatctl.errors import ChatError

HOLDER = LockHolder("t", "me", "laptop", "boot/1/2", "deploy", started_at=1_000_000, expires_at=1_120_000)


def refuse(now_ms: int, *, dead: bool = False, state: LockState = LockState(HOLDER)) -> None:
    refuse_if_locked(state, now_ms, dead=dead, unlock="nwchatctl deploy --force-unlock")


def test_held_lock_names_holder_start_and_expiry() -> None:
    with pytest.raises(ChatError) as caught:
        refuse(1_012_345)
    assert caught.value.code == "locked"
    assert caught.value.exit_code == 1
    for part in ("me is at it from laptop", "deploy holds the lock since 1970-01-01", "(12 s ago)"):
        assert part in caught.value.message
    assert "in 108 s" in caught.value.hint
    assert "`nwchatctl deploy --force-unlock`" in caught.value.hint


def test_expired_lock_is_free() -> None:
    refuse(1_012_345, state=LockState())
    refuse(1_012_345, state=LockState(None, "t"))
    refuse(1_012_345, dead=True)
    refuse(1_120_000)
