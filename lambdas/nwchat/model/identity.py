"""Who a socket's owner is, as the authorizer found it in their token. Pure.

In `auth.mode = "token"` API Gateway puts what the authorizer answered into `requestContext.authorizer` of
every event of that socket (WebSocket developer guide), as strings; in open mode there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A player by their token: `sender_id` is its `sub`, `uname` its `name`; `role` is "" for most."""

    sender_id: str
    uname: str
    role: str = ""

    def as_context(self) -> dict[str, str]:
        """As the authorizer hands it to API Gateway."""
        return {"sender_id": self.sender_id, "uname": self.uname, "role": self.role}


def identity_of(request: Mapping[str, Any]) -> Identity | None:
    """Whose socket a `requestContext` is about; None in open mode."""
    authorizer = request.get("authorizer")
    if not isinstance(authorizer, Mapping) or not authorizer.get("sender_id"):
        return None
    return Identity(
        sender_id=str(authorizer["sender_id"]),
        uname=str(authorizer.get("uname", "")),
        role=str(authorizer.get("role", "")),
    )
