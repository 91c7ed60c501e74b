"""What a broadcast sends, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nwchat.model.ids import ulid
from nwchatctl.chat.broadcast_message import compose
from nwchatctl.operations.deployed_api import require_api

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App

Via = Literal["here", "lambda"]


@dataclass(frozen=True)
class BroadcastRequest:
    """What to send, and how. `key` is the id under which it is sent once, "" for none; `to_user` is the
    recipient, "" for all connections; `claimed_by` is the same where that is what clients claim to be; `rate`
    is the maximum of posts per second; `via` is who posts."""

    message: Message
    key: str
    to_user: str
    ephemeral: bool
    rate: float
    via: Via = "here"
    claimed_by: str = ""


def make_request(
    app: App,
    text: str,
    sender: str,
    *,
    key: str,
    to_user: str,
    ephemeral: bool,
    rate: float | None,
    via: Via,
) -> BroadcastRequest:
    """A request to send `text` under the name `sender`, at the rate of the settings where `rate` is None.
    Raises ChatError, exit 2, for a text that players could not send, and `not_deployed`, exit 4."""
    # A text that is refused is refused before anything else.
    checked = compose(text, sender, app.limits, new_id="", now_ms=0)
    app.print_target()
    require_api(app)
    # AWS's clock: an id of a wrong clock would sort the message to where no client looks for it.
    now_ms = app.now_ms()
    message = replace(checked, id=ulid(now_ms, os.urandom(10)), date=now_ms)
    return BroadcastRequest(
        message,
        key,
        to_user,
        ephemeral or bool(to_user),
        rate or app.sending_rate,
        via,
        claimed_by="" if app.settings.auth.mode == "token" else to_user,
    )
