"""Who sent an event: its address, and the identity that the authorizer read from the token. Pure.

With `auth.mode = "token"`, API Gateway puts the authorizer's context into `requestContext.authorizer` of
every event of the connection (WebSocket developer guide), as strings. In open mode there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchat.values import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A player as the token states: `sender_id` is `sub`, `uname` is `name`; `role` is often ""."""

    sender_id: str
    uname: str
    role: str = ""

    def as_context(self) -> dict[str, str]:
        """The identity as the authorizer's context for API Gateway."""
        return {"sender_id": self.sender_id, "uname": self.uname, "role": self.role}


def address_in(request: Mapping[str, Any]) -> str:
    """The client's address in a `requestContext`; "" when there is none, as in a test event."""
    caller = request.get("identity")
    return str(caller.get("sourceIp") or "") if isinstance(caller, Mapping) else ""


def identity_of(request: Mapping[str, Any]) -> Identity | None:
    """The identity in a `requestContext`; None in open mode."""
    authorizer = request.get("authorizer")
    if not isinstance(authorizer, Mapping) or not authorizer.get("sender_id"):
        return None
    return Identity(
        sender_id=str(authorizer["sender_id"]),
        uname=str(authorizer.get("uname", "")),
        role=str(authorizer.get("role", "")),
    )
