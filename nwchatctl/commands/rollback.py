"""`rollback`: back to an earlier release, in seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.deploy.live import Live
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.release import Release
    from nwchatctl.deploy.planner import Plan

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
    opens: Annotated[
        bool, typer.Option("--open", help="Also from a chat that asks for tokens to a release that does not.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Go back to an earlier release.

    Moves the functions' live aliases and the stage to what they were, together; nothing is built, and no
    socket is closed. Settings beside the release (throttling, tables, logs, token keys) stay. `plan` then
    shows what `deploy` would bring forward again. Asks first where it would let everybody in without a token.
    """
    from nwchatctl.deploy.planner import arrange, differences
    from nwchatctl.deploy.releases import state_after_rollback
    from nwchatctl.deploy.token_switch import auth_transition
    from nwchatctl.operations.apply import carry_out
    from nwchatctl.operations.deployed_api import not_deployed
    from nwchatctl.operations.lock import locked, refuse_locked, settle
    from nwchatctl.output.plan_view import as_lines

    app: App = ctx.obj
    began = time.monotonic()
    app.cloud.reads_domains = False
    app.cloud.prepare()
    app.print_target()
    live = app.cloud.read()
    if not live.api_id:
        raise not_deployed(app)
    seen = live.rows.lock if dry_run else refuse_locked(app, live.rows.lock)
    target = _target(app, live, release, seen)
    wanted = state_after_rollback(live.state, target, app.settings.stage.name)
    changes = arrange(differences(wanted, live.state), auth_transition(wanted, live.state))
    opening = bool(changes) and _opens(app, live, target)
    if dry_run or not changes:
        if not dry_run:
            settle(app, seen)
        if opening:
            app.warn(_opening(target))
        return _report(app, target, changes, applied=0, began=began, dry_run=dry_run)
    app.say(*as_lines(changes.changes, verbose=app.options.verbose))
    if opening:
        # Its own flag: a script's --yes was given for the harmless.
        app.confirm(f"{_opening(target)}. Roll back?", given=opens, flag="--open")
    with locked(app, seen, "rollback", target.name) as guard:
        applied = carry_out(app, changes, guard)
    return _report(app, target, changes, applied=applied, began=began, dry_run=False)


def _target(app: App, live: Live, name: str, seen: LockState) -> Release:
    """The release that is meant. Without a name a rollback that died half-way is taken up again: what runs
    then is neither the one release nor the other."""
    from nwchatctl.deploy.releases import find_release, previous_release, running_release

    records = live.rows.records
    if name:
        return find_release(records, name)
    if seen.holder is not None and seen.holder.target:
        return find_release(records, seen.holder.target)
    return previous_release(records, running_release(live.state, app.settings.stage.name, records))


def _opens(app: App, live: Live, target: Release) -> bool:
    """Whether the release asks nobody for a token, in a chat that does or is meant to."""
    from nwchatctl.deploy.token_switch import requires_token, stage_requires_token

    return not requires_token(target) and (
        app.settings.auth.mode == "token" or stage_requires_token(live.state, app.settings.stage.name)
    )


def _opening(target: Release) -> str:
    return f"release {target.name} lets everybody in without a token, under any name"


def _report(app: App, target: Release, plan: Plan, *, applied: int, began: float, dry_run: bool) -> Report:
    from nwchatctl.operations.planning import endpoints, whereabouts
    from nwchatctl.output.plan_view import as_json, as_lines

    app.cloud.read_root_mappings()
    if applied:
        said = [Line(f"release {target.name} runs again", Mark.GOOD)]
    elif plan:
        said = list(as_lines(plan.changes, verbose=app.options.verbose))
    else:
        said = [Line(f"nothing to do: release {target.name} runs", Mark.GOOD)]
    return Report(
        data={
            **whereabouts(app),
            "changes": as_json(plan.changes),
            "applied": applied,
            "release": target.name,
            "endpoints": endpoints(app, app.cloud.websocket_api.ids.api),
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=tuple(said),
        notes=("`nwchatctl deploy` goes forward again",) if applied else (),
    )
