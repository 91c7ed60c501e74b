"""Bans: whom they are on, and which holds. Pure.

A ban is a row of the messages table, in a room of its own, that a sender's name, id or address leads to.
Names compare as people see them, so that neither case nor invisible characters make another name.
Times are epoch ms.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nwchat.model.identity import Identity, identity_of
from nwchat.model.limits import MAX_SENDER_ID_CHARS, clean_name
from nwchat.model.rows import Row, number_in, text_in

ROOM = "bans"
RETENTION_SECONDS = 30 * 86_400
"""How long the row of an ended ban stays, for whoever wants to know who was banned lately."""
PREFIX_BITS = 64
"""What one subscriber of IPv6 has at least (RFC 6177); their devices change the rest at will."""

_MAX_KEY_CHARS = 200
"""Of a name in a key: a sort key has 1,024 bytes at most, and one letter can stand for 18 (U+FDFA)."""

# What Unicode has programs not show (Default_Ignorable_Code_Point), as far as it is no control or format.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Ban:
    """`who` is as the operator wrote it; `until` is None for one without an end."""

    key: str
    who: str
    until: int | None = None
    since: int | None = None
    by: str = ""
    reason: str = ""

    def is_active(self, now_ms: int) -> bool:
        """Whether it has not ended. TTL deletes rows days late, so that their being there says nothing."""
        return self.until is None or self.until > now_ms


# Keys ---------------------------------------------------------------------------------------------


def normalized_name(name: str) -> str:
    """The name as everything that looks the same is; "" when there is nothing to see.

    Look-alikes of other alphabets stay what they are.
    """
    text = unicodedata.normalize("NFKC", clean_name(name, _MAX_KEY_CHARS))
    visible = "".join(each for each in _INVISIBLE.sub("", text) if unicodedata.category(each) != "Cf")
    # Folding can undo the normal form, and leaves it to the second round (Unicode, toNFKC_Casefold).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible.casefold()).casefold())
    return " ".join(folded.split())[:_MAX_KEY_CHARS].rstrip()


def user_key(name: str) -> str:
    """The key of a ban on a player's id or name; "" when there is nothing to see of it."""
    text = normalized_name(name)
    return f"user#{text}" if text else ""


def address_of(text: str) -> Address:
    """The one spelling of an address. ValueError when it is none, or only on one machine's link (`%eth0`)."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, and no client on the internet has")
    found = ipaddress.ip_address(text.strip())
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def address_key(address: Address) -> str:
    """The key of a ban on exactly that address."""
    return f"address#{address}"


def prefix_key(address: ipaddress.IPv6Address) -> str:
    """The key of a ban on the /64 that the address is in."""
    return f"address#{ipaddress.ip_network((address, PREFIX_BITS), strict=False)}"


def keys_of(*, sender_id: str = "", uname: str = "", address: str = "") -> tuple[str, ...]:
    """The keys of all bans there can be on a sender, each once: DynamoDB refuses to look twice."""
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
    """The attributes to store; those without a value are left out."""
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
    """A row as a ban. One whose end cannot be read has none: somebody was to be kept out."""
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
    """Of the bans found for one sender the one that lasts longest; None when none holds."""
    bans = [ban for ban in map(ban_of, rows) if ban.is_active(now_ms)]
    return max(bans, key=lambda ban: (ban.until is None, ban.until or 0), default=None)


def applies_to(ban: Ban, sender_id: str, uname: str, *, exact: bool) -> bool:
    """Whether a ban on a user is on the one of that id and name.

    Both compare as people see them, but ids of tokens (`exact`) are as they are: they are what the site tells
    players apart by, and a name that only repeats one is none.
    """
    if ban.key == user_key(uname) and not (exact and uname == sender_id):
        return True
    if exact:
        return clean_name(ban.who, MAX_SENDER_ID_CHARS) == sender_id
    return ban.key == user_key(sender_id)


def ban_notice(ban: Ban) -> str:
    """What the banned one is told: until when, and neither by whom nor why."""
    if ban.until is None:
        return "you are banned from this chat"
    # Rounded up: whoever comes back at the time that they were told is let in.
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
    """The ban that keeps the sender of an event out now; `read` gives the rows of keys.

    `request` is the event's `requestContext`, which has the address and, in token mode, who it is; else it is
    whom the client says. None as well when the bans cannot be read, and then the log has a warning: that the
    banned get a word in does less harm than a chat in which nobody can talk.
    """
    identity = identity_of(request)
    if identity is not None:
        sender_id, uname = identity.sender_id, identity.uname
    keys = keys_of(sender_id=sender_id, uname=uname, address=_address(request))
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
    """Whether a ban that the keys of somebody with a token led to is on them."""
    return not ban.key.startswith("user#") or applies_to(ban, identity.sender_id, identity.uname, exact=True)


def _address(request: Mapping[str, Any]) -> str:
    caller = request.get("identity")
    return str(caller.get("sourceIp") or "") if isinstance(caller, Mapping) else ""
