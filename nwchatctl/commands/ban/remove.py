"""`ban remove`: end a ban."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nwchatctl.commands.ban.shared import AddressesOption, UsersOption, no_target
from nwchatctl.commands.options import DryRunOption, JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.output.ban_view import as_json, ends
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.model.bans import Ban
    from nwchatctl.context import App

HELP = examples(
    ("a player may come back", "nwchatctl ban remove --user 128274"),
    ("would that let anybody in?", "nwchatctl ban remove --address 192.0.2.7 -n"),
)


def remove(
    ctx: typer.Context,
    user: UsersOption = None,
    address: AddressesOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """End a ban.

    Exit code 4 when none of them is banned (any more), 5 when some are not. Only that very ban ends: who is
    banned by name and by address needs both to be removed.
    """
    from nwchatctl.operations import bans

    app: App = ctx.obj
    app.require_config()
    targets = bans.ban_targets(app, user or (), address or ())
    if not targets:
        raise no_target("ban remove", "")
    app.print_target()
    removed, missing = bans.remove_bans(app, targets, dry_run)
    return _report(app, removed, missing, dry_run)


def _report(app: App, removed: list[Ban], missing: list[str], dry_run: bool) -> Report:
    if not removed:
        raise ChatError(
            f"there is no ban on {', '.join(missing)}",
            hint=app.command("ban", "list"),
            code="no_ban",
            exit_code=Exit.NOT_FOUND,
        )
    verb = "would no longer be" if dry_run else "is no longer"
    return Report(
        data={
            "removed": [as_json(each) for each in removed],
            "not_found": missing,
            "dry_run": dry_run,
        },
        body=tuple(
            Line(
                f"{each.who} {verb} banned; it was {ends(each)}",
                Mark.PLAIN if dry_run else Mark.GOOD,
            )
            for each in removed
        ),
        exit_code=Exit.PARTLY if missing else Exit.DONE,
        warnings=tuple(f"there is no ban on {each}" for each in missing),
    )
