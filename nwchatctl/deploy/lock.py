"""Who holds a chat's lock, and whether that still counts. Times are epoch ms, and passed in."""

from __future__ import annotations

from dataclasses import dataclass

from nwchatctl.errors import ChatError
from nwchatctl.timestamps import local

LEASE_MS = 120_000
"""How long a lock is good for after it was last renewed."""

RENEW_SECONDS = 10.0
"""How often a holder renews it, and so how soon it hears that the lock was taken away."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who is changing the chat. `process` tells one process of one machine from any other.

    `target` is what a rollback goes back to, so that a rollback that died can be taken up again.
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
    """The lock as it was read: its holder, if any, and the token of who held it last, "" if nobody ever."""

    holder: LockHolder | None = None
    last: str = ""


def refuse_if_locked(lock: LockState, now_ms: int, *, dead: bool, unlock: str) -> None:
    """Raises ChatError `locked` where somebody alive holds the lock.

    `dead` is whether the holder is a process of this machine that is no more; `unlock` is the command
    that takes the lock away.
    """
    holder = lock.holder
    if holder is None or dead or holder.expires_at <= now_ms:
        return
    left = max(1, round((holder.expires_at - now_ms) / 1000))
    raise ChatError(
        f"{holder.owner} is at it from {holder.host}: {holder.command} holds the lock since "
        f"{local(holder.started_at)} ({max(0, now_ms - holder.started_at) // 1000} s ago)",
        hint=f"wait for it; the lock of one that died expires by itself in {left} s, or now with `{unlock}`",
        code="locked",
    )


def outdated_plan_error() -> ChatError:
    """The error of whoever planned with what has changed since."""
    return ChatError(
        "the chat was changed by another command while this one was planning",
        hint="run the command again: it plans anew",
        code="changed_meanwhile",
    )


def lock_lost_error() -> ChatError:
    """The error of whoever lost its lock half-way."""
    return ChatError(
        "the lock was lost: somebody took it away, or AWS could not be reached for too long",
        hint="see who is at it with `nwchatctl status`, then run the command again",
        code="lock_lost",
    )
