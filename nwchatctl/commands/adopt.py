"""`adopt`: take over a chat that was clicked together in the console."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands import consent
from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.output.plan_view import as_json, consequences_json, plan_lines
from nwchatctl.report import Line, Mark, Report, counted

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.adoption import CopyCounts, LegacyTable
    from nwchatctl.operations.adoption import AdoptionOutcome, LegacyChat

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
    opens: consent.OpenOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Take over a chat made by hand.

    The API keeps its id, its address, its domain and its open sockets; it gets this chat's functions and
    tables, made beside the old ones, and whoever is connected is taken over from the old table. The old
    functions and table stay as they are, unused, but for a tag. Safe to stop and to repeat at any moment.
    """
    from nwchatctl.operations import adoption, planning

    app: App = ctx.obj
    began = time.monotonic()
    asks = app.streams.asks and not app.json and not yes
    given = {"table": table, "connect": connect, "disconnect": disconnect, "message": message}
    names = adoption.legacy_names(app, api_id, given, asks=asks)
    app.print_target()
    old = adoption.find_legacy_chat(app, names, table_key)
    found = adoption.read_adoption(app, old, dry_run=dry_run)
    if dry_run:
        return _report(app, adoption.read_outcome(app, found, 0, None), began, dry_run=True)
    if found.todo:
        changes, means = found.found.plan.changes, planning.consequences_of(app, found.found)
        app.say(*plan_lines(changes, verbose=app.options.verbose, consequences=means))
        app.say(*map(Line, adoption.further_steps(app, found)))
        question = f"Take over API {old.api.id} ({old.api.api.display_name})?"
        hint = consent.token_hint(app)
        consent.ask(app, question, means, yes=yes, opens=opens, asks=True, hint=hint)
    applied, copied = adoption.take_over(app, found)
    return _report(app, adoption.read_outcome(app, found, applied, copied), began, dry_run=False)


def _report(app: App, outcome: AdoptionOutcome, began: float, *, dry_run: bool) -> Report:
    adoption, copied = outcome.adoption, outcome.copied
    old, done = adoption.old, adoption.todo and not dry_run
    return Report(
        data={
            **outcome.chat,
            "api_id": old.api.id,
            "changes": as_json(adoption.found.plan.changes),
            "consequences": consequences_json(outcome.consequences),
            "applied": outcome.applied,
            "tagged": [each.name for each in old.untagged],
            "rows": {"found": adoption.rows, **(copied.as_data() if copied else {})},
            "left": [each.name for each in old.leftovers],
            "way_back": list(outcome.way_back),
            "endpoints": outcome.endpoints,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=_plan_lines(app, outcome) if dry_run else _outcome_lines(app, outcome),
        warnings=(*old.warnings, *adoption.found.kept_logs),
        notes=(
            "run it once more in a minute: it takes over whoever connected while the stage moved",
            f"then test it: {app.command('smoke')}; the policy for adoptions can be detached",
        )
        if done
        else (),
    )


def _plan_lines(app: App, outcome: AdoptionOutcome) -> tuple[Line, ...]:
    """What would be done."""
    changes = outcome.adoption.found.plan.changes
    lines = plan_lines(changes, verbose=app.options.verbose, consequences=outcome.consequences)
    return (*lines, *map(Line, outcome.steps))


def _outcome_lines(app: App, outcome: AdoptionOutcome) -> tuple[Line, ...]:
    """What was done, what is left of the old chat, and the way back to it."""
    adoption, region = outcome.adoption, app.cloud.location.region
    return (
        _result_line(app, outcome),
        *_row_lines(adoption.old.table, adoption.rows, outcome.copied),
        *_leftover_lines(adoption.old, region),
        *_way_back_lines(adoption.old.api.id, app.settings.stage.name, outcome.way_back, region),
    )


def _result_line(app: App, outcome: AdoptionOutcome) -> Line:
    if not outcome.adoption.todo:
        return Line("nothing to do: the chat is adopted, and as configured", Mark.GOOD)
    url = app.cloud.location.websocket_url(outcome.adoption.old.api.id, app.settings.stage.name)
    made = f"{counted(outcome.applied, 'change')} made"
    return Line(f"adopted: {made}, the address stays {url}", Mark.GOOD)


def _row_lines(table: LegacyTable | None, rows: int | None, copied: CopyCounts | None) -> tuple[Line, ...]:
    """What became of the rows of the old table."""
    if table is None:
        return ()
    if rows is None or copied is None:
        return (Line(f"table {table.name}: every socket in it is closed by now, so no row was looked at"),)
    parts = [f"{copied.copied} taken over", f"{copied.present} there already"]
    if copied.expired:
        parts.append(f"{copied.expired} too old to be connected")
    if copied.unusable:
        parts.append(f"{copied.unusable} without a usable connection id")
    return (Line(f"rows of table {table.name}: {', '.join(parts)}"),)


def _leftover_lines(old: LegacyChat, region: str) -> list[Line]:
    """The resources that are left, and the commands that remove them."""
    removals = [("table", each.name, ("dynamodb", "delete-table", "--table-name")) for each in old.tables]
    removals += [
        ("function", each.name, ("lambda", "delete-function", "--function-name")) for each in old.functions
    ]
    return [
        Line(f"left: {kind} {name}; to remove it: {_aws(*words, name, region=region)}", Mark.DIM)
        for kind, name, words in removals
    ]


def _way_back_lines(api_id: str, stage: str, deployments: tuple[str, ...], region: str) -> list[Line]:
    """The commands that move the stage back to the old chat, while its functions and table exist."""
    words = ("apigatewayv2", "update-stage", "--api-id", api_id, "--stage-name", stage, "--deployment-id")
    return [Line(f"the way back: {_aws(*words, each, region=region)}", Mark.DIM) for each in deployments]


def _aws(*words: str, region: str) -> str:
    return shlex.join(("aws", *words, "--region", region))
