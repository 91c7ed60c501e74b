"""`rollback`: back to an earlier release, in seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands import consent
from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.output.plan_view import as_json, as_lines, consequence_lines, consequences_json
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.releases import Rollback

HELP = examples(
    ("back to what ran before the last deploy", "nwchatctl rollback"),
    ("to a certain release; its first characters will do", "nwchatctl rollback 02fd51"),
    ("forward again, to what is configured", "nwchatctl deploy"),
)


def rollback(
    ctx: typer.Context,
    release: Annotated[
        str, typer.Argument(metavar="[RELEASE]", help="As `releases` lists it; the one before, if not given.")
    ] = "",
    opens: consent.OpenOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Go back to an earlier release.

    Moves the functions' live aliases and the stage to what they were, together; nothing is built, and no
    socket is closed. Settings beside the release (throttling, tables, logs, token keys) stay. `plan` then
    shows what `deploy` would bring forward again. Asks first where it would let everybody in without a token.
    """
    from nwchatctl.operations import planning, releases

    app: App = ctx.obj
    began = time.monotonic()
    app.cloud.reads_domains = False
    app.cloud.prepare()
    app.print_target()
    found = releases.plan_rollback(app, release, dry_run=dry_run)
    applied = 0
    if dry_run:
        for each in found.consequences:
            app.warn(each.text)
    else:
        app.say(*as_lines(found.plan.changes, verbose=app.options.verbose))
        app.say(*consequence_lines(found.consequences))
        consent.ask(app, "Roll back?", found.consequences, yes=yes, opens=opens)
        applied = releases.roll_back(app, found)
    app.cloud.read_root_mappings()
    endpoints = planning.endpoints(app, app.cloud.websocket_api.ids.api)
    return _report(app, found, planning.chat_identity(app), endpoints, applied, began, dry_run=dry_run)


def _report(
    app: App,
    found: Rollback,
    chat: dict[str, object],
    endpoints: dict[str, str | None],
    applied: int,
    began: float,
    *,
    dry_run: bool,
) -> Report:
    changes, release = found.plan.changes, found.target.name
    if applied:
        shown = [Line(f"release {release} runs again", Mark.GOOD)]
    elif changes:
        shown = list(as_lines(changes, verbose=app.options.verbose))
    else:
        shown = [Line(f"nothing to do: release {release} runs", Mark.GOOD)]
    return Report(
        data={
            **chat,
            "changes": as_json(changes),
            "consequences": consequences_json(found.consequences),
            "applied": applied,
            "release": release,
            "endpoints": endpoints,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=tuple(shown),
        notes=("`nwchatctl deploy` goes forward again",) if applied else (),
    )
