"""`destroy`: take the chat down, keeping its data unless told otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.changes import Change
    from nwchatctl.deploy.live import Live
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.state import Key
    from nwchatctl.deploy.planner import Plan

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
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The chat's name, instead of typing it.")
    ] = "",
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Take the chat down; its data stays.

    Removes what carries this chat's tags, in safe order, and says what it left. Tables stay unless
    --delete-data, logs go unless --keep-logs. The name is to be typed, or given with --confirm; --yes will
    do where no data goes.
    """
    from nwchatctl.deploy.changes import changed_key
    from nwchatctl.deploy.safety import plan_destroy
    from nwchatctl.operations.lock import refuse_locked
    from nwchatctl.output.plan_view import as_lines, summary

    app: App = ctx.obj
    began = time.monotonic()
    # Also those that a chat has kept which asks for no tokens any more.
    app.cloud.reads_token_keys = True
    app.cloud.prepare()
    app.print_target()
    live = app.cloud.read()
    own = app.cloud.names.deploys
    plan, left = plan_destroy(
        live.only_own().state, deploys=own, delete_data=delete_data, keep_logs=keep_logs
    )
    left += live.foreign
    if dry_run:
        return _report(app, live, plan.changes, left, applied=0, began=began, dry_run=True)
    seen = refuse_locked(app, live.rows.lock)
    if not plan:
        return _report(app, live, plan.changes, left, applied=0, began=began)
    app.say(*as_lines(plan.changes, verbose=app.options.verbose), Line(summary(plan.changes), Mark.HEAD))
    losing = any(changed_key(each)[0] == "table" and changed_key(each)[1] != own for each in plan.changes)
    if losing or not yes:
        flag = "--confirm" if losing else "--yes"
        app.confirm_name(app.settings.chat.name, given=confirm, flag=flag)
    applied = _carry_out(app, plan, live.rows.exists and seen)
    return _report(app, live, plan.changes, left, applied=applied, began=began)


def _carry_out(app: App, plan: Plan, seen: LockState | Literal[False]) -> int:
    """Makes the changes, under the lock; `seen` is False where there is no table to hold one."""
    from nwchatctl.operations.apply import carry_out
    from nwchatctl.operations.lock import locked

    if not seen:
        return carry_out(app, plan, lambda: None)
    with locked(app, seen, "destroy") as guard:
        return carry_out(app, plan, guard)


def _report(
    app: App,
    live: Live,
    changes: tuple[Change, ...],
    left: tuple[Key, ...],
    *,
    applied: int,
    began: float,
    dry_run: bool = False,
) -> Report:
    from nwchatctl.operations.logging_role import account_role
    from nwchatctl.operations.planning import whereabouts
    from nwchatctl.output.domain_view import unread_domains
    from nwchatctl.output.plan_view import as_json, as_lines

    if applied:
        said = [Line(f"{applied} resources removed", Mark.GOOD)]
    elif changes:
        said = list(as_lines(changes, verbose=app.options.verbose))
    else:
        gone = "the rest is gone already" if left else "none of this chat is there"
        said = [Line(f"nothing to do: {gone}", Mark.GOOD)]
    left += account_role(app)
    kept = [Line(f"left: {kind} {name}", Mark.DIM) for kind, name in left]
    return Report(
        data={
            **whereabouts(app),
            "changes": as_json(changes),
            "applied": applied,
            "left": [{"kind": kind, "name": name} for kind, name in left],
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(*said, *kept),
        warnings=unread_domains(live.facts),
    )
