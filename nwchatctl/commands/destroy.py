"""`destroy`: take the chat down, keeping its data unless told otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import ConfirmOption, DryRunOption, JsonOption, YesOption, examples
from nwchatctl.output.domain_view import unread_domains
from nwchatctl.output.plan_view import as_json, as_lines, consequence_lines, consequences_json, plan_lines
from nwchatctl.output.prompt import ConsentReasons
from nwchatctl.report import Line, Mark, Report, counted

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.operations.destroy import Destruction

HELP = examples(
    ("what would go, and what would stay?", "nwchatctl destroy --dry-run"),
    ("take the chat down; its tables stay", "nwchatctl destroy"),
    ("the data as well, without a terminal", "nwchatctl destroy --delete-data --confirm ninjawars"),
)


def destroy(
    ctx: typer.Context,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete the tables too: connections and all messages.")
    ] = False,
    keep_logs: Annotated[bool, typer.Option("--keep-logs", help="Leave the logs.")] = False,
    confirm: ConfirmOption = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Take the chat down; its data stays.

    Removes what carries this chat's tags, in safe order. Says first whom that disconnects, which addresses
    stop working, and what stays. Tables stay unless --delete-data, logs go unless --keep-logs. The name is to
    be typed, or given with --confirm; --yes will do where no data goes.
    """
    from nwchatctl.operations import destroy, lock, logging_role, planning

    app: App = ctx.obj
    began = time.monotonic()
    # Also those that a chat has kept which asks for no tokens any more.
    app.cloud.reads_token_keys = True
    app.cloud.prepare()
    app.print_target()
    found = destroy.plan_destruction(app, delete_data=delete_data, keep_logs=keep_logs)

    def report(applied: int) -> Report:
        left = found.left + logging_role.account_role(app)
        return _report(app, found, planning.chat_identity(app), left, applied, began, dry_run=dry_run)

    if dry_run:
        return report(0)
    seen = lock.refuse_locked(app, found.live.rows.lock)
    if not found.plan:
        return report(0)
    app.say(*plan_lines(found.plan.changes, verbose=app.options.verbose, consequences=found.consequences))
    app.say(*(Line(each, Mark.DIM) for each in found.left_texts))
    if found.loses_data or not yes:
        _confirm(app, found, confirm)
    return report(destroy.destroy(app, found, seen))


def _confirm(app: App, found: Destruction, given: str) -> None:
    """Returns when the chat's name was given or typed. Raises ChatError, exit 7."""
    flag = "--confirm" if found.loses_data else "--yes"
    texts = tuple(each.text for each in found.consequences)
    app.confirm_name(app.settings.chat.name, given=given, flag=flag, reasons=ConsentReasons(texts))


def _report(
    app: App,
    found: Destruction,
    chat: dict[str, object],
    left: tuple[Key, ...],
    applied: int,
    began: float,
    *,
    dry_run: bool,
) -> Report:
    changes = found.plan.changes
    if applied:
        shown = [Line(f"{counted(applied, 'resource')} removed", Mark.GOOD)]
    elif changes:
        shown = list(as_lines(changes, verbose=app.options.verbose))
    else:
        gone = "the rest is gone already" if found.left else "none of this chat is there"
        shown = [Line(f"nothing to do: {gone}", Mark.GOOD)]
    kept = [Line(f"left: {kind} {name}", Mark.DIM) for kind, name in left]
    means = consequence_lines(found.consequences) if changes and not applied else ()
    return Report(
        data={
            **chat,
            "changes": as_json(changes),
            "consequences": consequences_json(found.consequences),
            "applied": applied,
            "left": [{"kind": kind, "name": name} for kind, name in left],
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(*shown, *means, *kept),
        warnings=unread_domains(found.live.facts),
    )
