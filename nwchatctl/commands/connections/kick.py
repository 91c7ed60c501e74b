"""`connections kick`: sockets are closed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.connections.shared import RateOption, exit_code, warnings
from nwchatctl.commands.options import (
    DryRunOption,
    JsonOption,
    YesOption,
    examples,
    parse_length,
    require_one,
)
from nwchatctl.errors import Exit, error_note, usage_error
from nwchatctl.output.ban_view import change_json, change_line
from nwchatctl.output.prompt import ConsentReasons
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.chat.bans import BanChange
    from nwchatctl.chat.connection_prune import PruneResult
    from nwchatctl.context import App
    from nwchatctl.operations.kick import Kick

HELP = examples(
    ("one socket", "nwchatctl connections kick L0SM9cOFvHcCIhw="),
    ("all sockets of one player", "nwchatctl connections kick --user 128274"),
    ("and keep them out for a day", "nwchatctl connections kick --user 128274 --ban 1d"),
    ("everybody, from a script", "nwchatctl connections kick --all --confirm ninjawars"),
)


def kick(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="As `connections list` has them.")
    ] = None,
    user: Annotated[
        str, typer.Option("--user", metavar="ID", help="All sockets of this sender_id or name.")
    ] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's.", show_default=False)] = False,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="With --all: the chat's name, not typed.")
    ] = "",
    ban: Annotated[
        float | None,
        typer.Option(
            "--ban",
            metavar="LENGTH",
            parser=parse_length,
            help="Ban them before, for so long (1h, 7d) or forever.",
        ),
    ] = None,
    yes: YesOption = False,
    rate: RateOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Close sockets.

    Clients may connect again at once; with --ban, whoever has the sockets is banned before they are closed:
    the user, or for an ID its address (a /64 of IPv6), as names are what a client says; its sender_id where a
    token has said it. --all wants the chat's name typed, or given with --confirm; --yes will not do for
    that. Exit code 4 when there is no such connection, 5 when some could not be closed, or are none.
    """
    from nwchatctl.operations import connections, kick

    app: App = ctx.obj
    given = list(dict.fromkeys(ids or ()))
    require_one(
        {"IDs": bool(given), "--user": bool(user), "--all": everybody},
        usage_error("kick needs to know whom: IDs, --user ID or --all", "give one of them"),
    )
    app.require_config()
    end = kick.ban_end(app, ban, user, everybody)
    app.print_target()
    began = time.monotonic()
    chosen = kick.Kick(app, given, user, rate, dry_run)
    if everybody and not dry_run:
        _confirm_everybody(app, confirm, "" if confirm == app.settings.chat.name else kick.everybody(app))
    made = chosen.ban(end) if end is not None else []
    banned = "" if dry_run else ", ".join(each.ban.who for each in made)
    with error_note(lambda: f"{banned} banned" if banned else ""):
        result, stopped = chosen.close()
    if given and len(chosen.absent) == len(given):
        raise connections.no_connection(app, f"no connection is called {', '.join(given)}")
    if user and not result.checked and not stopped and not made:
        raise connections.no_connection(app, f"no connection is known to be of {user}")
    return _report(result, stopped, chosen, made, began, dry_run=dry_run)


def _confirm_everybody(app: App, given: str, text: str) -> None:
    """Returns when the chat's name was given, or typed after `text`. Raises ChatError, exit 7."""
    if text:
        app.say(Line(f"! {text}", Mark.WARN))
    app.confirm_name(app.settings.chat.name, given=given, reasons=ConsentReasons((text,) if text else ()))


def _report(
    result: PruneResult, stopped: str, kick: Kick, made: list[BanChange], began: float, *, dry_run: bool
) -> Report:
    absent = kick.absent
    parts = [f"{result.alive} {'would be kicked' if dry_run else 'kicked'}"]
    others = (("gone already", result.gone - result.absent), ("unknown", len(absent)))
    parts += [f"{count} {text}" for text, count in (*others, ("failed", result.failed)) if count]
    code = exit_code(result, stopped)
    if code is Exit.DONE and absent:
        code = Exit.PARTLY if result.alive or result.gone > result.absent else Exit.NOT_FOUND
    if code is Exit.DONE and kick.not_bannable and not made:
        code = Exit.PARTLY
    return Report(
        data={
            "kicked": 0 if dry_run else result.alive,
            "gone": result.gone,
            "failed": result.failed,
            "checked": result.checked,
            "open": result.alive,
            "deleted": result.deleted,
            "unknown": absent,
            "retries": result.retries,
            "banned": [change_json(each) for each in made],
            "dry_run": dry_run,
            "stopped": stopped or None,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            *(change_line(each, dry_run) for each in made),
            Line(", ".join(parts), Mark.WARN if code else Mark.GOOD),
        ),
        exit_code=code,
        warnings=(
            *warnings(result, stopped, "closes the others"),
            *kick.shared,
            *(f"no connection is called {each}" for each in absent),
            *(f"{each} is of nobody who could be banned" for each in kick.not_bannable if each not in absent),
        ),
    )
