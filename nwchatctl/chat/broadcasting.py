"""An announcement: checked, stored once, sent to everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nwchat import limits as cleaning
from nwchat.keys import message_expiry
from nwchat.limits import Limits
from nwchat.spreading import Counts
from nwchat.store import Appended, Dedup, Duplicate
from nwchat.wire import Bad, Message, Say
from nwchatctl.errors import ChatError, Exit

SCOPE = "broadcast"
"""Keeps operators' ids apart from clients' own."""

ID_SECONDS = 86_400
"""How long an `--id` is remembered: two crons, or a retry after a failure, are within a day."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an announcement; `counts` is None when it had been sent before under the same id."""

    id: str
    already_sent: bool
    counts: Counts | None


def compose(text: str, uname: str, limits: Limits, *, new_id: str, now_ms: int) -> Message:
    """The announcement as it will be stored and sent. Raises ChatError, exit 2, for a text that players could
    not have sent either."""
    checked = cleaning.check_message(Say(text, uname), limits)
    if isinstance(checked, Bad):
        raise ChatError(
            f"the announcement is refused: {checked.detail}",
            hint="give a text of 1 to chat.max_message_chars characters, or - to read it from stdin",
            code=f"text_{checked.code}",
            exit_code=Exit.USAGE,
        )
    return Message(new_id, checked.message, checked.uname, checked.sender_id, now_ms, "announcement")


def broadcast(
    message: Message,
    *,
    key: str,
    retention_days: int,
    append: Callable[[Message, int, Dedup | None], Appended] | None,
    send: Callable[[Message], Counts],
) -> Sent:
    """Stores `message` first, then sends it: what a socket misses, history has.

    With a `key` the store is what makes it happen once; without `append` nothing is stored (ephemeral).
    """
    if append is not None:
        dedup = Dedup(SCOPE, key, ID_SECONDS) if key else None
        stored = append(message, message_expiry(message.date, retention_days), dedup)
        if isinstance(stored, Duplicate):
            return Sent(stored.id, True, None)
    return Sent(message.id, False, send(message))
