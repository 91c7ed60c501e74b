"""Budgets: who pays for a frame, what it costs, and what happens to frames beyond the budget. Pure.

A sender is the token's `sub`, else the address (of IPv6 its /64: devices change the remaining bits at will).
A budget is counted in windows of `rate_seconds` that begin at multiples of that time, so that one
unconditional write is enough to count. Senders and addresses are stored as digests.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from nwchat.model.bans import PREFIX_BITS, address_of
from nwchat.model.identity import address_in, identity_of
from nwchat.model.ids import CONNECTION_SECONDS
from nwchat.model.limits import Limits
from nwchat.values import dataclass

ROOM_PREFIX = "budget#"
"""Begins the partition keys of budgets in the messages table; the functions' policies name it."""
SOCKETS_ID = "sockets"
"""Sort key of the row with an address's open connections; the rows of windows have digits."""
FRAME_PRICE = 1
"""The price of a message, a refused frame, a ping to the function, and of the first 32 KB of history."""
MODERATOR = "moderator"
"""The role without a sender's budget: the site trusts it, and it writes most during an attack."""

_BYTES_PER_UNIT = 32 * 1024
"""API Gateway meters messages in units of 32 KB (WebSocket pricing)."""
_KEEP_SECONDS = 60
"""How long a window's row outlives the window: the functions' clocks may differ by some seconds."""

RefusalAction: TypeAlias = Literal["answer", "ignore", "close"]


@dataclass(frozen=True, slots=True)
class BudgetWindow:
    """One window of a sender: its sort key, and when it ends, in epoch ms."""

    id: str
    ends_at: int

    @property
    def expires_at(self) -> int:
        """When TTL may delete the window's row, in epoch seconds."""
        return self.ends_at // 1000 + _KEEP_SECONDS

    def retry_after(self, now_ms: int) -> int:
        """Seconds until the window has ended, at least 1."""
        return max(1, -(-(self.ends_at - now_ms) // 1000))


def window_at(now_ms: int, limits: Limits) -> BudgetWindow:
    """The window that contains `now_ms`."""
    span = limits.rate_seconds * 1000
    number = now_ms // span
    return BudgetWindow(str(number), (number + 1) * span)


def page_price(size: int) -> int:
    """The price of a page of history of so many bytes."""
    return max(FRAME_PRICE, -(-size // _BYTES_PER_UNIT))


def sender_room(request: Mapping[str, Any]) -> str:
    """The partition key of the sender's budget, from an event's `requestContext`.

    "" for a sender without a budget: a moderator, and an event without an address, as a test event.
    """
    identity = identity_of(request)
    if identity is None:
        return address_room(request)
    return "" if identity.role == MODERATOR else _room(f"user#{identity.sender_id}")


def address_room(request: Mapping[str, Any]) -> str:
    """The partition key of the address's rows; "" when the event has no address."""
    text = address_in(request)
    return _room(f"address#{_subscriber(text)}") if text else ""


def _subscriber(text: str) -> str:
    try:
        address = address_of(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, PREFIX_BITS), strict=False))
    return str(address)


def _room(sender: str) -> str:
    return ROOM_PREFIX + hashlib.sha256(sender.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def refusal_action(count: int, limits: Limits) -> RefusalAction:
    """What happens to a connection's `count`-th frame beyond a budget within one window.

    The first is answered. Some more are ignored, because a client sends its unacknowledged messages in one go
    before it reads the answer; a connection that continues is closed.
    """
    if count <= 1:
        return "answer"
    return "ignore" if count <= 1 + limits.rate_messages else "close"


# Open connections of an address -------------------------------------------------------------------


def socket_entry(connection_id: str, connected_at: int) -> str:
    """An open connection as a short text: its time, in hexadecimal epoch seconds, and a digest of its id."""
    return f"{connected_at // 1000:x}:{_digest_of(connection_id)}"


def entries_of(connection_id: str, entries: Iterable[str]) -> list[str]:
    """The entries of that connection, whatever time they have."""
    return [each for each in entries if each.endswith(f":{_digest_of(connection_id)}")]


def _digest_of(connection_id: str) -> str:
    return hashlib.sha256(connection_id.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def expired_entries(entries: Iterable[str], now_ms: int) -> list[str]:
    """The entries of connections that API Gateway has closed by now. $disconnect is best effort, so that some
    entries are not removed by it."""
    return sorted(each for each in entries if _entry_seconds(each) + CONNECTION_SECONDS <= now_ms // 1000)


def _entry_seconds(entry: str) -> int:
    try:
        return int(entry.partition(":")[0], 16)
    except ValueError:
        return 0
