"""One invocation of the message function: what it got, and how it answers the sender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchat.delivery.outcome import Delivered
from nwchat.delivery.poster import Poster
from nwchat.log import Log
from nwchat.model.budget import sender_room
from nwchat.model.identity import Identity, identity_of
from nwchat.model.rows import Recipient, recipient
from nwchat.runtime import Services, connected_at
from nwchat.storage.budgets import Charge
from nwchat.values import dataclass


@dataclass(frozen=True, slots=True)
class Invocation:
    """The dependencies and the request of one invocation.

    A test event from the console has no `sender`; it gets no reply.
    """

    services: Services
    poster: Poster
    deadline: float
    log: Log
    sender: Recipient | None
    request: Mapping[str, Any]

    @property
    def identity(self) -> Identity | None:
        """The sender's identity by its token; None in open mode.

        Also None for connections made before token mode was enabled.
        """
        return identity_of(self.request)

    def reply(self, frame: str) -> None:
        """Post a frame to the sender.

        Failures are logged and ignored, for example when the client has disconnected.
        """
        if self.sender is None:
            return
        try:
            outcome = self.poster.post(self.sender.connection_id, frame.encode(), self.deadline)
        except Exception:
            self.log.exception("reply failed")
            return
        if not isinstance(outcome, Delivered):
            self.log.warning("reply not delivered", extra={"outcome": repr(outcome)})

    def charge(self, price: int) -> Charge:
        """Begin to charge the sender's budget."""
        services = self.services
        return services.budgets.charge(
            sender_room(self.request), price, services.now_ms(), services.config.limits, self.log
        )


def sender_of(request: Mapping[str, Any], now_ms: int) -> Recipient | None:
    """The connection that sent the frame; None for a test event, which has none."""
    if not (connection_id := request.get("connectionId")):
        return None
    return recipient(str(connection_id), connected_at(request, now_ms))
