"""The message of a broadcast, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from nwchat.delivery.tally import Counts
from nwchat.model import limits as cleaning
from nwchat.model.limits import Limits
from nwchat.model.wire import InvalidFrame, Message, MessageRequest
from nwchatctl.errors import ChatError, Exit

ID_SECONDS = 86_400
"""How long an `--id` is stored: duplicate cron jobs, or a retry after a failure, run within a day."""


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """The result of a broadcast. `already_sent`: an earlier run with this id had reached all recipients;
    `resumed`: it had reached some. `stopped` is why it ended early, "" if it did not."""

    id: str
    counts: Counts = field(default_factory=Counts)
    already_sent: bool = False
    resumed: bool = False
    stopped: str = ""


def compose(text: str, uname: str, limits: Limits, *, new_id: str, now_ms: int) -> Message:
    """The message as it is stored and sent. Raises ChatError, exit 2, for a text that players could not send
    either."""
    checked = cleaning.check_message(MessageRequest(text, uname), limits)
    if isinstance(checked, InvalidFrame):
        raise ChatError(
            f"the announcement is refused: {checked.detail}",
            hint="give a text of 1 to chat.max_message_chars characters, or - to read it from stdin",
            code=f"text_{checked.code}",
            exit_code=Exit.USAGE,
        )
    return Message(new_id, checked.message, checked.uname, checked.sender_id, now_ms, "announcement")
