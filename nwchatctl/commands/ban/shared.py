"""What `ban` and `connections kick --ban` share: options, lengths, targets, and how a ban reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.chat.bans import BanEnd
from nwchatctl.commands.options import When, parse_seconds
from nwchatctl.errors import ChatError, usage_error
from nwchatctl.operations.bans import exact_ids
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nwchat.model.bans import Ban
    from nwchatctl.chat.bans import BanChange, BanTarget
    from nwchatctl.context import App


FOREVER = "forever"

UsersOption = Annotated[
    list[str] | None,
    typer.Option("--user", metavar="ID", help="This sender_id or name; can be given several times."),
]


AddressesOption = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="IP", help="This address, or a /64 of IPv6; several times too."),
]


def no_target(command: str, more: str) -> ChatError:
    return usage_error(f"{command} needs to know whom", f"give --user ID or --address IP {more}".rstrip())


def parse_length(text: str) -> float:
    """A length of time in seconds, or `forever`. Raises BadParameter for anything else."""
    return math.inf if text.strip() == FOREVER else parse_seconds(text)


def end_of(seconds: float | None, until: When | None, forever: bool) -> BanEnd:
    """The end that exactly one of the three options gives. Raises ChatError, exit 2."""
    if (seconds is not None, until is not None, forever).count(True) != 1:
        raise usage_error(
            "a ban needs an end, or to be told that it has none",
            f"give --for 1h, --until TIME or --{FOREVER}",
        )
    if until is not None:
        if until.at is None:
            raise usage_error(
                f"--until is a time to come, and the age {until.text} counts back", f"give --for {until.text}"
            )
        return BanEnd(at=until.at)
    return BanEnd(math.inf if seconds is None else seconds)


def ban_targets(app: App, users: Iterable[str], addresses: Iterable[str]) -> list[BanTarget]:
    """Whom the options mean, as `distinct`. Raises ChatError, exit 2, for what can be nobody too."""
    from nwchatctl.chat import bans

    most = app.limits.max_uname_chars
    found = [
        *(_checked(lambda text: bans.user_target(text, most), each, "--user") for each in users),
        *(_checked(bans.address_target, each, "--address") for each in addresses),
    ]
    return distinct(app, found)


def distinct(app: App, whom: Iterable[BanTarget]) -> list[BanTarget]:
    """Each once, by key. Raises ChatError, exit 2, for two ids of tokens that look the same: there is one ban
    for all that look like it, so that they cannot both be banned."""
    made: dict[str, BanTarget] = {}
    for each in whom:
        before = made.get(each.key, each)
        if before.who != each.who and exact_ids(app):
            raise usage_error(
                f"{before.who} and {each.who} look alike, and only one of such ids can be banned",
                f"ban one of them by address: {app.command('ban', 'add', '--address', 'IP', '--for', '1h')}",
            )
        made[each.key] = each
    return list(made.values())


def reason_of(text: str) -> str:
    """The reason that an option gives. Raises ChatError, exit 2."""
    from nwchatctl.chat import bans

    try:
        return bans.check_reason(text)
    except ValueError as error:
        raise usage_error(f"--reason: {error}", "give a shorter one") from None


def _checked(make: Callable[[str], BanTarget], text: str, option: str) -> BanTarget:
    try:
        return make(text)
    except ValueError as error:
        raise usage_error(
            f"{option}: {error}", f"give {option} as `nwchatctl connections list` has it"
        ) from None


def kind(ban: Ban) -> str:
    """`user` or `address`."""
    return ban.key.partition("#")[0]


def as_json(ban: Ban) -> dict[str, object]:
    """A ban for scripts."""
    from nwchatctl.timestamps import iso

    return {
        "kind": kind(ban),
        "who": ban.who,
        "until": iso(ban.until),
        "since": iso(ban.since),
        "by": ban.by or None,
        "reason": ban.reason or None,
    }


def banned_json(each: BanChange) -> dict[str, object]:
    """The same of one that was just made: whether that changed anything, and which end and which
    spelling it had before."""
    from nwchatctl.timestamps import iso

    before = each.before
    return {
        **as_json(each.ban),
        "change": each.change,
        "before_until": None if before is None else iso(before.until),
        "before_who": None if before is None else before.who,
    }


def ends(ban: Ban) -> str:
    """`until 2026-01-31 18:00:00`, or `forever`."""
    from nwchatctl.timestamps import local

    return FOREVER if ban.until is None else f"until {local(ban.until)}"


def banned_line(each: BanChange, dry_run: bool) -> Line:
    """What was done, or would be."""
    said = f"{each.ban.who} {'would be' if dry_run else 'is'} banned {ends(each.ban)}"
    if each.change == "unchanged":
        return Line(f"{each.ban.who} is banned {ends(each.ban)} already", Mark.PLAIN)
    if each.before is not None and each.before.until != each.ban.until:
        said += f"; it was {ends(each.before)}"
    if each.before is not None and each.before.who != each.ban.who:
        said += f", in the place of the ban on {each.before.who}"
    return Line(said, Mark.PLAIN if dry_run else Mark.GOOD)
