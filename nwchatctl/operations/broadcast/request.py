"""What a broadcast is asked to send, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nwchat.model.wire import Message

Via = Literal["here", "lambda"]


@dataclass(frozen=True)
class BroadcastRequest:
    """What is to be sent, and how. `key` is the id it is sent once under, "" for none; `to_user` whom it is
    for, "" for everybody; `rate` is posts a second at most; `via` is who posts."""

    message: Message
    key: str
    to_user: str
    ephemeral: bool
    rate: float
    via: Via = "here"
