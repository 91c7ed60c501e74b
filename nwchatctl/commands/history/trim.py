"""`history trim`: delete old messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import (
    ConfirmOption,
    DryRunOption,
    JsonOption,
    WhenOption,
    examples,
    parse_when,
    require_one,
    when_ms,
)
from nwchatctl.errors import usage_error
from nwchatctl.report import Line, Mark, Report, counted

if TYPE_CHECKING:
    from nwchatctl.context import App

HELP = examples(
    ("how many would go?", "nwchatctl history trim --keep 1000 -n"),
    (
        "nightly from cron, after `history export` && in the same line",
        "nwchatctl -q history trim --keep 1000 --confirm ninjawars",
    ),
    ("whatever is older than 30 days", "nwchatctl history trim --before 30d"),
)


def trim(
    ctx: typer.Context,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Keep the newest so many, no others.")
    ] = None,
    before: Annotated[
        WhenOption,
        typer.Option("--before", parser=parse_when, metavar="TIME", help="Delete those older than that."),
    ] = None,
    confirm: ConfirmOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Delete old messages.

    Oldest first; after Ctrl-C, the same command goes on. What comes meanwhile stays, and so do the messages
    of the last 60 s, which no export has yet. The chat's name is to be typed, or given with --confirm.
    """
    from nwchatctl.operations.history_delete import delete_old_messages, find_old_messages

    app: App = ctx.obj
    require_one(
        {"--keep": keep is not None, "--before": before is not None},
        usage_error("trim needs to know what stays: --keep N, or --before TIME", "give one of them"),
    )
    app.require_config()
    began = time.monotonic()
    app.print_target()
    old = find_old_messages(app, keep, when_ms(before, app.now_ms()))
    deleted = 0
    if old.count and not dry_run:
        app.say(Line(f"{counted(old.count, 'message')} to be deleted", Mark.REMOVE))
        app.confirm_name(app.settings.chat.name, given=confirm)
        deleted = delete_old_messages(app, old)
    return _report(old.count, deleted, began, dry_run, cut=old.cut)


def _report(found: int, deleted: int, began: float, dry_run: bool, *, cut: bool) -> Report:
    if not found:
        line = Line("nothing to do: no message is that old", Mark.GOOD)
    elif dry_run:
        line = Line(f"{counted(found, 'message')} would be deleted")
    else:
        line = Line(f"{counted(deleted, 'message')} deleted", Mark.GOOD)
    return Report(
        data={
            "found": found,
            "deleted": deleted,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(line, Line("messages of the last 60 s stay", Mark.DIM)) if cut else (line,),
    )
