"""`adopt`: take over a chat that was clicked together in the console."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.commands._chat import Planned
    from nwchatctl.commands._old import Old
    from nwchatctl.context import App
    from nwchatctl.deploy.adoption import Copied
    from nwchatctl.deploy.holding import Seen

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
    from nwchatctl.commands._chat import as_lines, summary
    from nwchatctl.commands._old import found_old, named

    app: App = ctx.obj
    began = time.monotonic()
    asks = app.streams.asks and not app.json and not yes
    given = {"table": table, "connect": connect, "disconnect": disconnect, "message": message}
    names = named(app, api_id, given, asks=asks)
    app.announce()
    adoption = _read(app, found_old(app, names, table_key), dry_run=dry_run)
    if dry_run:
        return _report(app, adoption, 0, None, began, dry_run=True)
    if adoption.todo:
        changes = adoption.found.plan.changes
        app.say(*as_lines(changes, verbose=app.options.verbose), Line(summary(changes), Mark.HEAD))
        app.say(*_besides(app, adoption))
        found = adoption.old.api
        app.confirm(f"Take over API {found.id} ({found.api.display_name})?", given=yes)
    applied, copied = _take_over(app, adoption)
    return _report(app, adoption, applied, copied, began, dry_run=False)


@dataclass(frozen=True)
class _Adoption:
    """One reading of both: the old chat, and the way to ours. `served` is AWS's id of the deployment that is
    to be kept as a way back, "" where the stage serves ours; `rows` is how many the old table has, None where
    none of them matters any more."""

    found: Planned
    old: Old
    served: str
    rows: int | None
    seen: Seen

    @property
    def todo(self) -> bool:
        return bool(self.found.plan or self.old.untagged or self.served)


def _read(app: App, old: Old, *, dry_run: bool) -> _Adoption:
    from nwchatctl.commands._chat import planned
    from nwchatctl.commands._lock import refuse_locked
    from nwchatctl.deploy.adoption import rows_are_past, served_before
    from nwchatctl.deploy.model.websocket import Deployment
    from nwchatctl.deploy.planner import split

    app.cloud.taken = old.api
    found = planned(app)
    seen = found.live.rows.seen if dry_run else refuse_locked(app, found.live.rows.seen)
    live, stage = found.live.state, app.settings.stage.name
    served = served_before(live, stage)
    past = not served and rows_are_past(live, stage, app.cloud.gateway.stages.changed_at(stage), app.now_ms())
    rows = None if past or old.table is None else app.cloud.old.count(old.table)
    # What the stage served stays, by another name, as a way back.
    kept = split(found.plan, {(Deployment.kind, served)})[1]
    return _Adoption(dataclasses.replace(found, plan=kept), old, served, rows, seen)


def _take_over(app: App, adoption: _Adoption) -> tuple[int, Copied | None]:
    """Carries it all out; nothing else here changes anything. How many changes were made, and what became of
    the rows, None where none is to be looked at. Each step is safe to repeat: the next run sees it as done.
    The tags come first, so that a missing permission shows before the chat is touched.
    """
    from nwchatctl.commands._apply import changing
    from nwchatctl.deploy.adoption import KEPT, halves, names_last

    chat, names = names_last(adoption.found.plan)
    first, last = halves(chat)
    if not adoption.todo and adoption.rows is None:
        return 0, None
    with changing(app, adoption.found, adoption.seen, "adopt") as changes:
        for each in adoption.old.untagged:
            app.cloud.old.tag(each, app.settings.chat.name)
        if adoption.served:
            # Before the API is ours: a deploy that comes between would remove what bears no name.
            app.cloud.gateway.deployments.name(adoption.served, KEPT + adoption.served)
        changes.carry_out(first)
        copied = _copy(app, adoption)
        if last:
            changes.carry_out(last)
            # Once more, for whoever came while the stage moved.
            later = _copy(app, adoption)
            copied = copied.again(later) if copied and later else copied
        if names:
            changes.carry_out(names)
    return changes.made, copied


def _copy(app: App, adoption: _Adoption) -> Copied | None:
    table = adoption.old.table
    if table is None or adoption.rows is None:
        return None
    with app.bar("rows looked at", adoption.rows) as bar:
        return app.cloud.old.copy(table, app.cloud.names.connections, app.now_ms(), bar.update)


def _besides(app: App, adoption: _Adoption) -> tuple[Line, ...]:
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
    app: App, adoption: _Adoption, applied: int, copied: Copied | None, began: float, *, dry_run: bool
) -> Report:
    from nwchatctl.commands._chat import as_json, endpoints, whereabouts
    from nwchatctl.commands._old import left, rows_line, way_back
    from nwchatctl.deploy.adoption import ways_back

    old, done = adoption.old, adoption.todo and not dry_run
    links = endpoints(app, old.api.id)
    back = (adoption.served,) if adoption.served else ways_back(adoption.found.live.state)
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
            *(() if dry_run else left(old, app.cloud.where.region)),
            *(() if dry_run else way_back(old.api.id, app.settings.stage.name, back, app.cloud.where.region)),
        ),
        warnings=old.warnings,
        notes=(
            "run it once more in a minute: it takes over whoever connected while the stage moved",
            f"then test it: {app.command('smoke')}; docs/adopt-policy.json can be detached",
        )
        if done
        else (),
    )


def _outcome(app: App, adoption: _Adoption, applied: int, *, dry_run: bool) -> tuple[Line, ...]:
    from nwchatctl.commands._chat import as_lines, summary

    changes = adoption.found.plan.changes
    if dry_run:
        shown = as_lines(changes, verbose=app.options.verbose)
        return (*shown, Line(summary(changes), Mark.HEAD), *_besides(app, adoption))
    if not adoption.todo:
        return (Line("nothing to do: the chat is adopted, and as configured", Mark.GOOD),)
    url = app.cloud.where.websocket_url(adoption.old.api.id, app.settings.stage.name)
    made = f"{applied} change{'s' if applied != 1 else ''} made"
    return (Line(f"adopted: {made}, the address stays {url}", Mark.GOOD),)
