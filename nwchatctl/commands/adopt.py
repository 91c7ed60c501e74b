"""`adopt`: take over a chat that was clicked together in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.operations.adoption import read_adoption, take_over

if TYPE_CHECKING:
    from nwchatctl.operations.adoption import Adoption

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.adoption import CopyCounts

HELP = examples(
    ("be asked which API, table and functions it is", "nwchatctl adopt"),
    ("what would be done?", "nwchatctl adopt --api-id a1b2c3d4e5 --dry-run"),
    ("functions by other names", "nwchatctl adopt --api-id a1b2c3d4e5 --message-function say"),
)


def adopt(
    ctx: typer.Context,
    api_id: Annotated[str, typer.Option("--api-id", metavar="ID", help="The WebSocket API's id.")] = "",
    table: Annotated[
        str, typer.Option("--table", metavar="NAME", help="Its table of connections. [default: chat]")
    ] = "",
    table_key: Annotated[
        str, typer.Option("--table-key", metavar="NAME", help="The table's partition key.")
    ] = "connectionid",
    connect: Annotated[
        str,
        typer.Option("--connect-function", metavar="NAME", help="For $connect. [default: chat-connect]"),
    ] = "",
    disconnect: Annotated[
        str,
        typer.Option(
            "--disconnect-function", metavar="NAME", help="For $disconnect. [default: chat-disconnect]"
        ),
    ] = "",
    message: Annotated[
        str,
        typer.Option("--message-function", metavar="NAME", help="For messages. [default: chat-on-message]"),
    ] = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Take over a chat made by hand.

    The API keeps its id, its address, its domain and its open sockets; it gets this chat's functions and
    tables, made beside the old ones, and whoever is connected is taken over from the old table. The old
    functions and table stay as they are, unused, but for a tag. Safe to stop and to repeat at any moment.
    """
    from nwchatctl.operations.adoption import find_legacy_chat, legacy_names
    from nwchatctl.output.plan_view import as_lines, summary

    app: App = ctx.obj
    began = time.monotonic()
    asks = app.streams.asks and not app.json and not yes
    given = {"table": table, "connect": connect, "disconnect": disconnect, "message": message}
    names = legacy_names(app, api_id, given, asks=asks)
    app.print_target()
    adoption = read_adoption(app, find_legacy_chat(app, names, table_key), dry_run=dry_run)
    if dry_run:
        return _report(app, adoption, 0, None, began, dry_run=True)
    if adoption.todo:
        changes = adoption.found.plan.changes
        app.say(*as_lines(changes, verbose=app.options.verbose), Line(summary(changes), Mark.HEAD))
        app.say(*_besides(app, adoption))
        found = adoption.old.api
        app.confirm(f"Take over API {found.id} ({found.api.display_name})?", given=yes)
    applied, copied = take_over(app, adoption)
    return _report(app, adoption, applied, copied, began, dry_run=False)


def _besides(app: App, adoption: Adoption) -> tuple[Line, ...]:
    """What else will be done, in words."""
    from nwchatctl.deploy.adoption import ADOPTED_BY

    old, lines = adoption.old, []
    if old.table is not None and adoption.rows is not None:
        lines.append(Line(f"{adoption.rows} rows of table {old.table.name} to be taken over"))
    if old.untagged:
        tagged = ", ".join(each.name for each in old.untagged)
        lines.append(Line(f"the tag {ADOPTED_BY}={app.settings.chat.name} on {tagged}"))
    if adoption.served:
        lines.append(Line(f"deployment {adoption.served} is kept, to go back to"))
    return tuple(lines)


def _report(
    app: App, adoption: Adoption, applied: int, copied: CopyCounts | None, began: float, *, dry_run: bool
) -> Report:
    from nwchatctl.deploy.adoption import kept_deployments
    from nwchatctl.operations.adoption import left, rows_line, way_back
    from nwchatctl.operations.planning import endpoints, whereabouts
    from nwchatctl.output.plan_view import as_json

    old, done = adoption.old, adoption.todo and not dry_run
    links = endpoints(app, old.api.id)
    back = (adoption.served,) if adoption.served else kept_deployments(adoption.found.live.state)
    return Report(
        data={
            **whereabouts(app),
            "api_id": old.api.id,
            "changes": as_json(adoption.found.plan.changes),
            "applied": applied,
            "tagged": [each.name for each in old.untagged],
            "rows": {"found": adoption.rows, **(copied.as_data() if copied else {})},
            "left": [each.name for each in old.things],
            "way_back": list(back),
            "endpoints": links,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            *_outcome(app, adoption, applied, dry_run=dry_run),
            *rows_line(old.table, adoption.rows, copied, dry_run=dry_run),
            *(() if dry_run else left(old, app.cloud.location.region)),
            *(
                ()
                if dry_run
                else way_back(old.api.id, app.settings.stage.name, back, app.cloud.location.region)
            ),
        ),
        warnings=old.warnings,
        notes=(
            "run it once more in a minute: it takes over whoever connected while the stage moved",
            f"then test it: {app.command('smoke')}; docs/adopt-policy.json can be detached",
        )
        if done
        else (),
    )


def _outcome(app: App, adoption: Adoption, applied: int, *, dry_run: bool) -> tuple[Line, ...]:
    from nwchatctl.output.plan_view import as_lines, summary

    changes = adoption.found.plan.changes
    if dry_run:
        shown = as_lines(changes, verbose=app.options.verbose)
        return (*shown, Line(summary(changes), Mark.HEAD), *_besides(app, adoption))
    if not adoption.todo:
        return (Line("nothing to do: the chat is adopted, and as configured", Mark.GOOD),)
    url = app.cloud.location.websocket_url(adoption.old.api.id, app.settings.stage.name)
    made = f"{applied} change{'s' if applied != 1 else ''} made"
    return (Line(f"adopted: {made}, the address stays {url}", Mark.GOOD),)
