"""How a ban reads: lines for a person, objects for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.report import Line, Mark
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchat.model.bans import Ban
    from nwchatctl.chat.bans import BanChange

FOREVER = "forever"


def kind(ban: Ban) -> str:
    """`user` or `address`."""
    return ban.key.partition("#")[0]


def as_json(ban: Ban) -> dict[str, object]:
    """A ban for scripts."""
    return {
        "kind": kind(ban),
        "who": ban.who,
        "until": iso(ban.until),
        "since": iso(ban.since),
        "by": ban.by or None,
        "reason": ban.reason or None,
    }


def change_json(each: BanChange) -> dict[str, object]:
    """A ban that was just made, for scripts: whether that changed anything, and the end and the spelling that
    it had before."""
    before = each.before
    return {
        **as_json(each.ban),
        "change": each.change,
        "before_until": None if before is None else iso(before.until),
        "before_who": None if before is None else before.who,
    }


def ends(ban: Ban) -> str:
    """`until 2026-01-31 18:00:00`, or `forever`; in the second that the player is told, which is the next."""
    return FOREVER if ban.until is None else f"until {local(-(-ban.until // 1000) * 1000)}"


def end_cell(ban: Ban) -> str:
    """`2026-01-31 18:00:00`, or `forever`, as `ends`."""
    return ends(ban).removeprefix("until ")


def change_line(each: BanChange, dry_run: bool) -> Line:
    """What was done, or would be."""
    text = f"{each.ban.who} {'would be' if dry_run else 'is'} banned {ends(each.ban)}"
    if each.change == "unchanged":
        return Line(f"{each.ban.who} is banned {ends(each.ban)} already", Mark.PLAIN)
    if each.before is not None and each.before.until != each.ban.until:
        text += f"; it was {ends(each.before)}"
    if each.before is not None and each.before.who != each.ban.who:
        text += f", in the place of the ban on {each.before.who}"
    return Line(text, Mark.PLAIN if dry_run else Mark.GOOD)
