"""`deploy`: build the chat, or bring it to what the configuration says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, examples
from nwchatctl.report import Line, Mark, Report, TextTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from nwchatctl.context import App
    from nwchatctl.deploy.logging_role import LoggingRoleState
    from nwchatctl.deploy.planner import Plan
    from nwchatctl.operations.planning import Planned

HELP = examples(
    ("build the chat, or update it to nwchat.toml", "nwchatctl deploy"),
    ("on the embedded AWS, without an account", "nwchatctl --sandbox deploy"),
    ("in cron or CI: no questions", "nwchatctl -q deploy --yes"),
    ("access logs, for which API Gateway needs a role", "nwchatctl deploy --set-account-logging-role"),
    ("only the functions' code and settings", "nwchatctl deploy --only function --only alias"),
)


def deploy(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KIND", help="Only changes to this kind of resource (repeatable)."),
    ] = None,
    force_unlock: Annotated[
        bool, typer.Option("--force-unlock", help="Take the lock away from whoever holds it.")
    ] = False,
    set_account_logging_role: Annotated[
        bool,
        typer.Option(
            "--set-account-logging-role",
            help="Make a role for API Gateway to log with, and set it for the whole account and Region.",
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Build the chat on AWS, or update it.

    Only what differs from the configuration is touched, what is independent at the same time. Safe to stop
    and to repeat at any moment: the next deploy goes on from what is there. One at a time: a second one is
    refused, naming who is at it.
    """
    from nwchatctl.deploy.adoption import refuse_unfinished
    from nwchatctl.operations.apply import changing
    from nwchatctl.operations.lock import refuse_locked, settle
    from nwchatctl.operations.logging_role import consent, logging, set_role
    from nwchatctl.operations.planning import planned
    from nwchatctl.output.domain_view import waits
    from nwchatctl.output.plan_view import as_lines, summary

    app: App = ctx.obj
    began = time.monotonic()
    app.cloud.prepare()
    app.print_target()
    found = planned(app)
    plan = _limited(found, only) if only else found.plan
    role = logging(app, plan, asked=set_account_logging_role, dry_run=dry_run)
    if dry_run:
        return _report(app, found, plan, applied=0, began=began, dry_run=True, role=role)
    refuse_unfinished(found.live.state, app.settings.stage.name, found.live.api_id)
    seen = refuse_locked(app, found.live.rows.lock, force=force_unlock)
    if not (plan or role.sets_role):
        settle(app, seen)
        return _report(app, found, plan, applied=0, began=began, dry_run=False)
    app.say(*as_lines(plan.changes, verbose=app.options.verbose), Line(summary(plan.changes), Mark.HEAD))
    app.say(*waits(plan))
    _consent(app, plan, yes)
    consent(app, role, yes=yes)
    if force_unlock:
        # As its holder has renewed it while the plan was read and agreed to.
        seen = app.cloud.deploy_table.read().lock
    with changing(app, found, seen, "deploy") as changes:
        set_role(app, role)
        changes.carry_out(plan)
    return _report(app, found, plan, applied=changes.made, began=began, dry_run=False, role=role)


def _consent(app: App, plan: Plan, yes: bool) -> None:
    from nwchatctl.deploy.safety import removals

    gone = removals(plan)
    if gone:
        app.confirm(f"{len(gone)} of these changes remove something. Deploy?", given=yes, flag="--yes")


def _limited(found: Planned, only: Collection[str]) -> Plan:
    """The part of the plan that is about `only`. Raises ChatError where it needs what is left out."""
    from nwchatctl.deploy.changes import changed_key
    from nwchatctl.deploy.partial import limit_plan
    from nwchatctl.deploy.planner import ORDER

    plan = found.plan
    unknown = sorted(set(only) - set(ORDER))
    if unknown:
        raise typer.BadParameter(f"no such kind: {', '.join(unknown)}; there are {', '.join(ORDER)}")
    keys = {changed_key(each) for each in plan.changes if changed_key(each)[0] in only}
    if keys and not found.live.rows.exists:
        # Nothing is changed without the table for the lock.
        keys |= {("table", found.cloud.names.deploys)} & plan.after.keys()
    # What moves all that a release is made of makes that release.
    keys |= {where for where in plan.after if where[0] == "release" and set() < plan.after[where] <= keys}
    return limit_plan(plan, keys)


def _report(
    app: App,
    found: Planned,
    plan: Plan,
    *,
    applied: int,
    began: float,
    dry_run: bool,
    role: LoggingRoleState | None = None,
) -> Report:
    from nwchatctl.operations.planning import endpoints, unread, whereabouts
    from nwchatctl.output.domain_view import dns_json, dns_lines, dns_notes, unread_domains
    from nwchatctl.output.plan_view import as_json, as_lines, summary

    api_id, release = found.cloud.websocket_api.ids.api, _released(app, found, plan)
    links = endpoints(app, api_id)
    body: tuple[Line | TextTable, ...]
    if dry_run:
        body = (*as_lines(plan.changes, verbose=app.options.verbose), Line(summary(plan.changes), Mark.HEAD))
    elif not plan:
        body = (Line(summary(()), Mark.GOOD), _links(links))
    else:
        done = f"{applied} change{'s' if applied != 1 else ''} made, release {release}"
        body = (Line(done, Mark.GOOD), _links(links))
    return Report(
        data={
            **whereabouts(app),
            "changes": as_json(plan.changes),
            "applied": applied,
            "release": release if api_id else None,
            "endpoints": links,
            "dns": dns_json(found.dns_records),
            # What is set for the whole account, null for most deploys.
            "account_logging_role": app.cloud.logging_role.own_role if role and role.sets_role else None,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(*body, *dns_lines(found.dns_records)),
        notes=() if dry_run else dns_notes(found.dns_records),
        warnings=(*unread(app), *unread_domains(found.live.facts)),
    )


def _released(app: App, found: Planned, plan: Plan) -> str | None:
    """The release that runs after `plan`: the wanted one, unless --only left out what moves to it."""
    from nwchatctl.deploy.desired.chat import release_name
    from nwchatctl.deploy.releases import running_release

    moving = {where for where in found.plan.after if where[0] in ("alias", "deployment", "stage", "release")}
    if moving <= plan.after.keys():
        return release_name(found.wanted)
    return running_release(found.live.state, app.settings.stage.name, found.live.rows.records)


def _links(links: dict[str, str | None]) -> TextTable:
    return TextTable((), [(name, url) for name, url in links.items() if url])
