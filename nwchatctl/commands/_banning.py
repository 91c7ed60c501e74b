"""What `ban` and `connections kick --ban` share: lengths, whom, and how a ban reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nwchatctl.commands.options import LAST_MS, When, parse_seconds
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark

if TYPE_CHECKING:
    from nwchat.bans import Ban
    from nwchatctl.aws.bans import Bans
    from nwchatctl.chat.banning import Banned, Whom
    from nwchatctl.context import App

FOREVER = "forever"


class End(NamedTuple):
    """When a ban ends: so many seconds from now (`math.inf` for never), or at `at`, in epoch ms."""

    seconds: float = math.inf
    at: int | None = None

    def epoch_ms(self, now_ms: int) -> int | None:
        """The moment, None for none. Raises ChatError, exit 2, for one that is over, or too far off."""
        if self.at is None and self.seconds == math.inf:
            return None
        end = self.at if self.at is not None else now_ms + round(self.seconds * 1000)
        if end <= now_ms:
            if self.at is None:
                raise usage("a ban that ends at once is none", "give a longer one: --for 1h")
            raise usage("--until is a time to come, and that one is over", "give a later one, or --for 2h")
        if end > LAST_MS:
            raise usage("that end is after the year 9999", f"give --{FOREVER}")
        return end


def parse_length(text: str) -> float:
    """A length of time in seconds, or `forever`. Raises BadParameter for anything else."""
    return math.inf if text.strip() == FOREVER else parse_seconds(text)


def usage(message: str, hint: str) -> ChatError:
    """A mistake on the command line."""
    return ChatError(message, hint=hint, code="usage", exit_code=Exit.USAGE)


def end_of(seconds: float | None, until: When | None, forever: bool) -> End:
    """The end that exactly one of the three options gives. Raises ChatError, exit 2."""
    if (seconds is not None, until is not None, forever).count(True) != 1:
        raise usage(
            "a ban needs an end, or to be told that it has none",
            f"give --for 1h, --until TIME or --{FOREVER}",
        )
    if until is not None:
        if until.at is None:
            raise usage(
                f"--until is a time to come, and the age {until.text} counts back", f"give --for {until.text}"
            )
        return End(at=until.at)
    return End(math.inf if seconds is None else seconds)


def named(app: App, users: Iterable[str], addresses: Iterable[str]) -> list[Whom]:
    """Whom the options mean, as `distinct`. Raises ChatError, exit 2, for what can be nobody too."""
    from nwchatctl.chat import banning

    most = app.limits.max_uname_chars
    found = [
        *(_checked(lambda text: banning.user(text, most), each, "--user") for each in users),
        *(_checked(banning.address, each, "--address") for each in addresses),
    ]
    return distinct(app, found)


def distinct(app: App, whom: Iterable[Whom]) -> list[Whom]:
    """Each once, by key. Raises ChatError, exit 2, for two ids of tokens that look the same: there is one ban
    for all that look like it, so that they cannot both be banned."""
    made: dict[str, Whom] = {}
    for each in whom:
        before = made.get(each.key, each)
        if before.who != each.who and exact_ids(app):
            raise usage(
                f"{before.who} and {each.who} look alike, and only one of such ids can be banned",
                f"ban one of them by address: {app.command('ban', 'add', '--address', 'IP', '--for', '1h')}",
            )
        made[each.key] = each
    return list(made.values())


def exact_ids(app: App) -> bool:
    """Whether ids that only look the same are those of two players, as they are with tokens."""
    return app.settings.auth.mode == "token"


def reason_of(text: str) -> str:
    """The reason that an option gives. Raises ChatError, exit 2."""
    from nwchatctl.chat import banning

    try:
        return banning.reason(text)
    except ValueError as error:
        raise usage(f"--reason: {error}", "give a shorter one") from None


def _checked(make: Callable[[str], Whom], text: str, option: str) -> Whom:
    try:
        return make(text)
    except ValueError as error:
        raise usage(f"{option}: {error}", f"give {option} as `nwchatctl connections list` has it") from None


def bans(app: App) -> Bans:
    """The bans of the chat. Raises as `App.aws`."""
    from nwchatctl.aws.bans import Bans
    from nwchatctl.deploy.naming import Names

    return Bans(app.aws.client("dynamodb"), Names(app.settings.chat.name).messages)


def ban_all(app: App, whom: Sequence[Whom], end: End, reason: str, dry_run: bool) -> list[Banned]:
    """Bans each of them, but in a dry run. Its failure says who is banned already."""
    from nwchatctl.chat.banning import banned
    from nwchatctl.commands._connections import server_clock

    # The functions look at AWS's clock.
    table, clock, by = bans(app), server_clock(app), app.cloud.caller.name
    found = [table.get(each.key) for each in whom]
    now_ms = clock.now_ms()
    until, exact = end.epoch_ms(now_ms), exact_ids(app)
    made = [
        banned(each, before, until=until, by=by, reason=reason, now_ms=now_ms, exact=exact)
        for each, before in zip(whom, found, strict=True)
    ]
    done: list[str] = []
    try:
        for each in made:
            if each.change != "unchanged" and not dry_run:
                table.put(each.ban)
            done.append(each.ban.who)
    except BaseException as error:
        if done and not dry_run:
            error.add_note(f"{', '.join(done)} banned")
        raise
    return made


# How it reads -------------------------------------------------------------------------------------


def kind(ban: Ban) -> str:
    """`user` or `address`."""
    return ban.key.partition("#")[0]


def as_json(ban: Ban) -> dict[str, object]:
    """A ban for scripts."""
    from nwchatctl.commands._times import iso

    return {
        "kind": kind(ban),
        "who": ban.who,
        "until": iso(ban.until),
        "since": iso(ban.since),
        "by": ban.by or None,
        "reason": ban.reason or None,
    }


def banned_json(each: Banned) -> dict[str, object]:
    """The same of one that was just made: whether that changed anything, and which end and which
    spelling it had before."""
    from nwchatctl.commands._times import iso

    before = each.before
    return {
        **as_json(each.ban),
        "change": each.change,
        "before_until": None if before is None else iso(before.until),
        "before_who": None if before is None else before.who,
    }


def ends(ban: Ban) -> str:
    """`until 2026-01-31 18:00:00`, or `forever`."""
    from nwchatctl.commands._times import local

    return FOREVER if ban.until is None else f"until {local(ban.until)}"


def banned_line(each: Banned, dry_run: bool) -> Line:
    """What was done, or would be."""
    said = f"{each.ban.who} {'would be' if dry_run else 'is'} banned {ends(each.ban)}"
    if each.change == "unchanged":
        return Line(f"{each.ban.who} is banned {ends(each.ban)} already", Mark.PLAIN)
    if each.before is not None and each.before.until != each.ban.until:
        said += f"; it was {ends(each.before)}"
    if each.before is not None and each.before.who != each.ban.who:
        said += f", in the place of the ban on {each.before.who}"
    return Line(said, Mark.PLAIN if dry_run else Mark.GOOD)
