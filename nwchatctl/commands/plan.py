"""`plan`: what `deploy` would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.output.domain_view import unread_domains
from nwchatctl.output.plan_view import as_json, consequences_json, plan_lines
from nwchatctl.report import Mark, Report

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
    """Show what `deploy` would change, attribute by attribute.

    Of a long value only the part that differs is shown; -v shows all of it. Lines that begin with ! say what
    the changes mean: who is disconnected, which address stops working, what is lost.
    """
    from nwchatctl.operations import account_chats, lock, logging_role, planning

    app: App = ctx.obj
    found = planning.read_and_plan(app)
    changes, consequences = found.plan.changes, planning.consequences_of(app, found)
    app.print_target()
    app.say(*account_chats.new_chat_lines(app, found, json=json))
    return Report(
        data={
            **planning.chat_identity(app),
            "changes": as_json(changes),
            "consequences": consequences_json(consequences),
        },
        body=plan_lines(
            changes,
            Mark.HEAD if changes else Mark.GOOD,
            verbose=app.options.verbose,
            consequences=consequences,
        ),
        exit_code=Exit.DIFFERS if check and changes else Exit.DONE,
        requested=not check,
        warnings=(
            *logging_role.missing_role_warnings(app),
            *found.kept_logs,
            *planning.origins_without_history(app),
            *unread_domains(found.live.facts),
            *(f"{label}: {text}" for label, text in lock.lock_holder_rows(app, found.live.rows.lock)),
        ),
    )
