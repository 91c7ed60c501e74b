"""An announcement as it is checked, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from nwchat.delivery.tally import Counts
from nwchat.model import limits as cleaning
from nwchat.model.limits import Limits
from nwchat.model.wire import InvalidFrame, Message, Say
from nwchatctl.errors import ChatError, Exit

SCOPE = "broadcast"
"""Keeps operators' ids apart from clients' own."""

ID_SECONDS = 86_400
"""How long an `--id` is remembered: two crons, or a retry after a failure, are within a day."""


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """What became of an announcement. `already_sent`: everybody had been reached before under the same id;
    `resumed`: some had. `stopped` is why it ended before its end, "" where it did not."""

    id: str
    counts: Counts = field(default_factory=Counts)
    already_sent: bool = False
    resumed: bool = False
    stopped: str = ""


def compose(text: str, uname: str, limits: Limits, *, new_id: str, now_ms: int) -> Message:
    """The announcement as it will be stored and sent. Raises ChatError, exit 2, for a text that players could
    not have sent either."""
    checked = cleaning.check_message(Say(text, uname), limits)
    if isinstance(checked, InvalidFrame):
        raise ChatError(
            f"the announcement is refused: {checked.detail}",
            hint="give a text of 1 to chat.max_message_chars characters, or - to read it from stdin",
            code=f"text_{checked.code}",
            exit_code=Exit.USAGE,
        )
    return Message(new_id, checked.message, checked.uname, checked.sender_id, now_ms, "announcement")
