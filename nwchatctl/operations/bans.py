"""Bans players and addresses, for `ban add` and `connections kick --ban`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.aws.dynamodb.bans import Bans
from nwchatctl.chat.bans import BanChange, BanEnd, BanTarget, change_ban
from nwchatctl.deploy.names import ResourceNames
from nwchatctl.operations.connections import server_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwchatctl.context import App


def exact_ids(app: App) -> bool:
    """Whether ids that only look the same are those of two players, as they are with tokens."""
    return app.settings.auth.mode == "token"


def bans_table(app: App) -> Bans:
    """The bans of the chat. Raises as `App.aws`."""
    return Bans(app.aws.client("dynamodb"), ResourceNames(app.settings.chat.name).messages)


def ban_all(app: App, whom: Sequence[BanTarget], end: BanEnd, reason: str, dry_run: bool) -> list[BanChange]:
    """Bans each of them, but in a dry run. Its failure says who is banned already."""
    # The functions look at AWS's clock.
    table, clock, by = bans_table(app), server_clock(app), app.cloud.caller.name
    found = [table.get(each.key) for each in whom]
    now_ms = clock.now_ms()
    until, exact = end.epoch_ms(now_ms), exact_ids(app)
    made = [
        change_ban(each, before, until=until, by=by, reason=reason, now_ms=now_ms, exact=exact)
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
