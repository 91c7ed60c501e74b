"""Hashes that stand for persons in logs. Pure.

They are keyed: without the key nobody can find an address by hashing all of them. The key is the id that
DynamoDB gives to the chat's connections table (`TableId`, a random UUID): whoever may describe the table can
tell whose a hash is, whoever may only read the logs cannot. A chat that is destroyed and deployed again has
another one.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from nwchat.model import bans
from nwchat.model.bans import Ban
from nwchat.model.identity import address_in, identity_of

DIGITS = 12
"""48 bits: two of a million persons share a hash with a probability of one in 500."""


def log_hash(key: bytes, text: str) -> str:
    """The hash of a ban's key (`bans.user_key`, `bans.address_key`, `bans.prefix_key`) in hex digits."""
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]


def address_text(address: str) -> str:
    """What is hashed of an address: the key of a ban on it; of IPv6 on its /64, which one subscriber has. ""
    for what is no address."""
    try:
        found = bans.address_of(address)
    except ValueError:
        return ""
    return bans.prefix_key(found) if isinstance(found, ipaddress.IPv6Address) else bans.address_key(found)


def ban_fields(ban: Ban, request: Mapping[str, Any], hashed: Callable[[str], str]) -> dict[str, str]:
    """Log fields about a banned sender: those of `caller_hashes`, and the hash of the ban's key."""
    return {"ban": hashed(ban.key), **caller_hashes(request, hashed)}


def caller_hashes(request: Mapping[str, Any], hashed: Callable[[str], str]) -> dict[str, str]:
    """Log fields about the sender of an event: `address`, and in token mode `sender`.

    `request` is the event's `requestContext`. Names that a client only claims are left out.
    """
    identity = identity_of(request)
    texts = {
        "address": address_text(address_in(request)),
        "sender": "" if identity is None else bans.user_key(identity.sender_id),
    }
    return {name: hashed(text) for name, text in texts.items() if text}
