"""`plan`: what `deploy` would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App

HELP = examples(
    ("what would a deploy do?", "nwchatctl plan"),
    ("in cron: exit 6 when anything differs from the configuration", "nwchatctl -q plan --check"),
    ("the same for a script", "nwchatctl plan --json"),
)


def plan(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit 6 when anything would change.")] = False,
    json: JsonOption = False,
) -> Report:
    """Show what `deploy` would change, attribute by attribute."""
    from nwchatctl.commands._account import lacking
    from nwchatctl.commands._chat import as_json, as_lines, planned, summary, unread, whereabouts
    from nwchatctl.commands._lock import at_it
    from nwchatctl.commands._names import unread_names

    app: App = ctx.obj
    found = planned(app)
    changes = found.plan.changes
    return Report(
        data={**whereabouts(app), "changes": as_json(changes)},
        body=(
            *as_lines(changes, verbose=app.options.verbose),
            Line(summary(changes), Mark.HEAD if changes else Mark.GOOD),
        ),
        exit_code=Exit.DIFFERS if check and changes else Exit.DONE,
        warnings=(
            *lacking(app),
            *unread(app),
            *unread_names(found.live),
            *(f"{name}: {said}" for name, said in at_it(app, found.live.rows.seen)),
        ),
    )
