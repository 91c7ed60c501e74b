"""The deploy lock of a chat: its holder, and whether it is still valid. Times are epoch ms of AWS's
clock, and passed in."""

from __future__ import annotations

from dataclasses import dataclass

from nwchatctl.errors import ChatError
from nwchatctl.lease import LeaseTerms
from nwchatctl.timestamps import local

TERMS = LeaseTerms(valid_seconds=120.0, renew_seconds=10.0)
"""The lock is a lease. A holder that was robbed of it notices at its next renewal."""

LEASE_MS = TERMS.valid_ms
"""How long a lock is valid after its last renewal."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The command that holds the lock. `process` identifies one process of one machine
    (`process_id.this_process`).

    `target` is the release that a rollback returns to, so that an interrupted rollback can be resumed.
    """

    token: str
    owner: str
    host: str
    process: str
    command: str
    started_at: int
    expires_at: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class LockState:
    """The lock as it was read: its holder, if any, and the token of the last holder, "" if there never was
    one."""

    holder: LockHolder | None = None
    last: str = ""


def refuse_if_locked(lock: LockState, now_ms: int, *, dead: bool, unlock: str) -> None:
    """Raises ChatError `locked` if a live holder has the lock.

    `dead` says whether the holder is an ended process of this machine; `unlock` is the command that releases
    the lock.
    """
    holder = lock.holder
    if holder is None or dead or holder.expires_at <= now_ms:
        return
    raise locked_error(holder, now_ms, unlock)


def locked_error(holder: LockHolder, now_ms: int, unlock: str) -> ChatError:
    """The error while `holder` has the lock; `unlock` is the command that releases it."""
    left = max(1, round((holder.expires_at - now_ms) / 1000))
    return ChatError(
        f"{holder.owner} is at it from {holder.host}: {holder.command} holds the lock since "
        f"{local(holder.started_at)} ({max(0, now_ms - holder.started_at) // 1000} s ago)",
        hint=f"wait for it; the lock of one that died expires by itself in {left} s, or now with `{unlock}`",
        code="locked",
    )


def outdated_plan_error() -> ChatError:
    """The error if the chat changed after it was read for a plan."""
    return ChatError(
        "the chat was changed by another command while this one was planning",
        hint="run the command again: it plans anew",
        code="changed_meanwhile",
    )


def lock_lost_error() -> ChatError:
    """The error if the lock was lost while it was held."""
    return ChatError(
        "the lock was lost: somebody took it away, or AWS could not be reached for too long",
        hint="see who is at it with `nwchatctl status`, then run the command again",
        code="lock_lost",
    )
