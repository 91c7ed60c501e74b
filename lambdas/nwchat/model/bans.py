"""Bans: their keys and rows, and which ban applies to a sender. Pure.

A ban is a row in its own room of the messages table, found by a sender's name, id or address. Names are
compared as they appear, so case and invisible characters make no difference. Times are epoch ms.
"""

from __future__ import annotations

import ipaddress
import logging
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from nwchat.model.characters import without_any_invisible
from nwchat.model.identity import Identity, address_in, identity_of
from nwchat.model.limits import MAX_SENDER_ID_CHARS, clean_name
from nwchat.model.rows import Row, number_in, text_in
from nwchat.values import dataclass

ROOM = "bans"
RETENTION_SECONDS = 30 * 86_400
"""How long the row of an ended ban is kept, so that the operator can list recent bans."""
PREFIX_BITS = 64
"""The smallest prefix of an IPv6 subscriber (RFC 6177); devices change the remaining bits at will."""

_MAX_KEY_CHARS = 200
"""Maximum length of a name in a key: a sort key has at most 1,024 bytes, and one character can be normalized
to 18 (U+FDFA)."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban. `who` is as the operator entered it; `until` is None for a permanent ban."""

    key: str
    who: str
    until: int | None = None
    since: int | None = None
    by: str = ""
    reason: str = ""

    def is_active(self, now_ms: int) -> bool:
        """Whether the ban has not ended. TTL deletes rows days late, so an existing row proves nothing."""
        return self.until is None or self.until > now_ms


# Keys ---------------------------------------------------------------------------------------------


def normalized_name(name: str) -> str:
    """The common form of all names that look the same; "" when nothing is visible.

    Look-alikes from other alphabets are not unified.
    """
    text = unicodedata.normalize("NFKC", clean_name(name, _MAX_KEY_CHARS))
    visible = "".join(each for each in without_any_invisible(text) if unicodedata.category(each) != "Cf")
    # Folding can break the normal form, so both are applied twice (Unicode, toNFKC_Casefold).
    case_folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible.casefold()).casefold())
    return " ".join(case_folded.split())[:_MAX_KEY_CHARS].rstrip()


def user_key(name: str) -> str:
    """The key of a ban on a player's id or name; "" when nothing of it is visible."""
    text = normalized_name(name)
    return f"user#{text}" if text else ""


def address_of(text: str) -> Address:
    """Parse an address into its canonical form. Raises ValueError for an invalid or zoned one (`%eth0`)."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, and no client on the internet has")
    found = ipaddress.ip_address(text.strip())
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def address_key(address: Address) -> str:
    """The key of a ban on exactly that address."""
    return f"address#{address}"


def prefix_key(address: ipaddress.IPv6Address) -> str:
    """The key of a ban on the /64 that contains the address."""
    return f"address#{ipaddress.ip_network((address, PREFIX_BITS), strict=False)}"


def keys_of(*, sender_id: str = "", uname: str = "", address: str = "") -> tuple[str, ...]:
    """The keys of all possible bans on a sender, without duplicates, which DynamoDB refuses."""
    keys = [user_key(sender_id), user_key(uname)]
    try:
        found = address_of(address)
    except ValueError:
        pass
    else:
        keys.append(address_key(found))
        if isinstance(found, ipaddress.IPv6Address):
            keys.append(prefix_key(found))
    return tuple(dict.fromkeys(key for key in keys if key))


# Rows ---------------------------------------------------------------------------------------------


def ban_row(ban: Ban) -> dict[str, Any]:
    """The attributes to store; those without a value are omitted."""
    row: dict[str, Any] = {"room": {"S": ROOM}, "id": {"S": ban.key}, "who": {"S": ban.who}}
    for name in ("by", "reason"):
        if text := getattr(ban, name):
            row[name] = {"S": text}
    if ban.since is not None:
        row["created_at"] = {"N": str(ban.since)}
    if ban.until is not None:
        row["until"] = {"N": str(ban.until)}
        row["expires_at"] = {"N": str(-(-ban.until // 1000) + RETENTION_SECONDS)}
    return row


def ban_of(row: Row) -> Ban:
    """A row as a ban. A ban without a readable end is permanent, which is the safe choice."""
    key = text_in(row, "id")
    return Ban(
        key=key,
        who=text_in(row, "who") or key.partition("#")[2],
        until=number_in(row, "until"),
        since=number_in(row, "created_at"),
        by=text_in(row, "by"),
        reason=text_in(row, "reason"),
    )


def longest_active(rows: Iterable[Row], now_ms: int) -> Ban | None:
    """The active ban that lasts longest; None when none is active."""
    bans = [ban for ban in map(ban_of, rows) if ban.is_active(now_ms)]
    return max(bans, key=lambda ban: (ban.until is None, ban.until or 0), default=None)


def applies_to(ban: Ban, sender_id: str, uname: str, *, exact: bool) -> bool:
    """Whether a ban on a user applies to that id and name.

    Names and ids are compared as they appear. With `exact` (ids from tokens), ids are compared literally,
    because the site distinguishes players by them, and a name that only repeats the id is ignored.
    """
    if ban.key == user_key(uname) and not (exact and uname == sender_id):
        return True
    if exact:
        return clean_name(ban.who, MAX_SENDER_ID_CHARS) == sender_id
    return ban.key == user_key(sender_id)


def is_user(wanted: str, sender_id: str, uname: str, *, exact: bool) -> bool:
    """Whether `wanted`, as the operator typed it, is that id or name; compared as bans are."""
    if wanted in (sender_id, uname):
        return True
    key = user_key(wanted)
    return bool(key) and applies_to(Ban(key, wanted), sender_id, uname, exact=exact)


def ban_notice(ban: Ban) -> str:
    """The error text for a banned client: when the ban ends, but not its author or reason."""
    if ban.until is None:
        return "you are banned from this chat"
    # Rounded up, so that the client is accepted at the time that it was told.
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(-(-ban.until // 1000)))
    return f"you are banned from this chat until {end}"


def active_ban(
    request: Mapping[str, Any],
    read: Callable[[Sequence[str]], Iterable[Row]],
    now_ms: int,
    log: logging.LoggerAdapter[logging.Logger],
    *,
    sender_id: str = "",
    uname: str = "",
) -> Ban | None:
    """The active ban that applies to the sender of an event. `read` returns the rows of keys.

    `request` is the event's `requestContext`, with the address and, in token mode, the identity; otherwise
    `sender_id` and `uname` are the client's claims. Returns None and logs a warning when the bans cannot be
    read: an outage must not block all senders.
    """
    identity = identity_of(request)
    if identity is not None:
        sender_id, uname = identity.sender_id, identity.uname
    keys = keys_of(sender_id=sender_id, uname=uname, address=address_in(request))
    if not keys:
        return None
    try:
        rows = read(keys)
        if identity is not None:
            rows = [row for row in rows if _applies_to_identity(ban_of(row), identity)]
        return longest_active(rows, now_ms)
    except Exception:
        log.warning("the bans cannot be read: nobody is kept out", exc_info=True)
        return None


def _applies_to_identity(ban: Ban, identity: Identity) -> bool:
    """Whether a ban that was found by the sender's keys applies to the token's identity."""
    return not ban.key.startswith("user#") or applies_to(ban, identity.sender_id, identity.uname, exact=True)
