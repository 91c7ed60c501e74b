"""The targets of bans, and how a ban changes an existing one. Pure; times are epoch ms."""

from __future__ import annotations

import ipaddress
import math
import unicodedata
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from nwchat.model import bans
from nwchat.model.bans import Ban
from nwchat.model.limits import MAX_SENDER_ID_CHARS, clean_name
from nwchat.model.rows import Connection
from nwchat.model.wire import well_formed
from nwchatctl.errors import usage_error
from nwchatctl.timestamps import LAST_MS

MAX_REASON_CHARS = 200

Change = Literal["added", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class BanTarget:
    """The target of a ban: its key, and its readable form."""

    key: str
    who: str


@dataclass(frozen=True, slots=True)
class BanChange:
    """A ban, and the active ban that it replaces, if any."""

    ban: Ban
    before: Ban | None

    @property
    def change(self) -> Change:
        """What happens to the row."""
        if self.before is None:
            return "added"
        return "unchanged" if self.ban == self.before else "changed"


def user_target(text: str, most_chars: int) -> BanTarget:
    """A user by id or name, of at most `most_chars`. Raises ValueError, with the reason, if it cannot be
    one."""
    name = unicodedata.normalize("NFC", text.strip())
    most = max(most_chars, MAX_SENDER_ID_CHARS)
    if not (key := bans.user_key(name)):
        raise ValueError("a user's id or name has something to see")
    # Not truncated or cleaned here: the result would be another user than the operator typed.
    if well_formed(name) != name or clean_name(name, len(name)) != name:
        raise ValueError(f"{text!r} has characters in it that no id or name of a user's has")
    if len(name) > most:
        raise ValueError(f"no id or name of a user's is longer than {most} characters")
    return BanTarget(key, name)


def address_target(text: str) -> BanTarget:
    """An address, or an IPv6 /64, which one subscriber has. Raises ValueError, with the reason, for anything
    else."""
    bare, slash, bits = text.strip().partition("/")
    try:
        found = bans.address_of(bare)
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None
    if not slash or bits == str(found.max_prefixlen):
        return BanTarget(bans.address_key(found), str(found))
    if bits == str(bans.PREFIX_BITS) and isinstance(found, ipaddress.IPv6Address):
        return _prefix_target(found)
    raise ValueError(f"{text!r} is a network: a ban is on one address, or on a /64 of IPv6")


def connection_target(row: Connection) -> BanTarget | None:
    """The target of a ban on the user of this connection; None if nothing is known about them.

    The id before the name, which others may share, and both before the address, which more may share. But
    without a verified token, id and name are only claims of the client, maybe another user's: then it is the
    address.
    """
    for name in (row.sender_id, row.uname) if row.proven else ():
        if key := bans.user_key(name):
            return BanTarget(key, name)
    try:
        found = bans.address_of(row.source_ip)
    except ValueError:
        return None
    return (
        _prefix_target(found) if isinstance(found, ipaddress.IPv6Address) else address_target(row.source_ip)
    )


def _prefix_target(found: ipaddress.IPv6Address) -> BanTarget:
    key = bans.prefix_key(found)
    return BanTarget(key, key.partition("#")[2])


def check_reason(text: str) -> str:
    """A reason as it is stored. Raises ValueError if it is too long."""
    cleaned = clean_name(text, len(text))
    if len(cleaned) > MAX_REASON_CHARS:
        raise ValueError(f"a reason has {MAX_REASON_CHARS} characters at most")
    return cleaned


def change_ban(
    target: BanTarget,
    found: Ban | None,
    *,
    until: int | None,
    by: str,
    reason: str,
    now_ms: int,
    exact: bool = False,
) -> BanChange:
    """The ban on `target`; `found` is its row. An active ban keeps its start, its reason unless there is a
    new one, and everything if nothing changes. With `exact`, as ids of tokens are compared, another spelling
    is a change: it may be another user."""
    before = found if found is not None and found.is_active(now_ms) else None
    if before is None:
        return BanChange(Ban(target.key, target.who, until, now_ms, by, reason), None)
    after = replace(before, until=until, reason=reason or before.reason)
    if exact:
        after = replace(after, who=target.who)
    return BanChange(after if after == before else replace(after, by=by, who=target.who), before)


class BanEnd(NamedTuple):
    """When a ban ends: so many seconds from now (`math.inf` for never), or at `at`, in epoch ms."""

    seconds: float = math.inf
    at: int | None = None

    def epoch_ms(self, now_ms: int) -> int | None:
        """The end, epoch ms; None for never. Raises ChatError, exit 2, if it is in the past or too far
        ahead."""
        if self.at is None and self.seconds == math.inf:
            return None
        end = self.at if self.at is not None else now_ms + round(self.seconds * 1000)
        if end <= now_ms:
            if self.at is None:
                raise usage_error("a ban that ends at once is none", "give a longer one: --for 1h")
            raise usage_error(
                "--until is a time to come, and that one is over", "give a later one, or --for 2h"
            )
        if end > LAST_MS:
            raise usage_error("that end is after the year 9999", "give --forever")
        return end
