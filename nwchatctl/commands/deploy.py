"""`deploy`: build the chat, or bring it to what the configuration says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands import consent
from nwchatctl.commands.options import DryRunOption, JsonOption, YesOption, completes, examples
from nwchatctl.output.domain_view import (
    certificate_wait_lines,
    dns_json,
    dns_lines,
    dns_notes,
    unread_domains,
)
from nwchatctl.output.plan_view import as_json, consequences_json, plan_lines, summary
from nwchatctl.report import Line, Mark, Report, TextTable, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only changes to this kind of resource (repeatable).",
            autocompletion=completes("nwchatctl.operations.deploy", "KINDS"),
        ),
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
    opens: consent.OpenOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Build the chat on AWS, or update it.

    Only what differs from the configuration is changed, and independent changes are made at the same time.
    It is safe to stop and to repeat: the next deploy continues from there. Only one runs at a time: a second
    one is refused, and says who runs the first.

    Asks before it deletes a resource, changes an address or disconnects players, and names each of them.
    --yes agrees, but not to opening a chat that asks for tokens: that needs --open, or an answer. If a
    function is deleted, a rollback to the releases that have it is no longer possible.
    """
    from nwchatctl.operations import account_chats, apply, deploy, lock, logging_role, planning

    app: App = ctx.obj
    began = time.monotonic()
    app.cloud.prepare()
    app.print_target()
    found = planning.read_and_plan(app)
    plan = deploy.partial_plan(found, _known_kinds(only, deploy.KINDS)) if only else found.plan
    role = logging_role.check_role(app, plan, asked=set_account_logging_role, dry_run=dry_run)
    if dry_run:
        return _report(app, found, plan, began, dry_run=True, role=role)
    deploy.refuse_unfinished_adoption(app, found)
    seen = lock.refuse_locked(app, found.live.rows.lock, force=force_unlock)
    if not (plan or role.sets_role):
        lock.release_lock(app, seen)
        return _report(app, found, plan, began)
    consequences = planning.consequences_of(app, found, plan)
    app.say(*plan_lines(plan.changes, verbose=app.options.verbose, consequences=consequences))
    app.say(*account_chats.new_chat_lines(app, found, json=json))
    app.say(*certificate_wait_lines(deploy.certificates_to_validate(plan)))
    deleted = deploy.deletion_count(plan)
    question = f"{counted(deleted, 'resource')} to delete. Deploy?" if deleted else "Deploy?"
    hint = consent.token_hint(app)
    consent.ask(app, question, consequences, yes=yes, opens=opens, asks=deleted > 0, hint=hint)
    logging_role.confirm_role(app, role, yes=yes)
    if force_unlock:
        # As its holder has renewed it while the plan was read and agreed to.
        seen = app.cloud.deploy_table.read().lock
    with apply.changing(app, found, seen, "deploy") as changes:
        logging_role.set_role(app, role)
        changes.carry_out(plan)
    return _report(app, found, plan, began, applied=changes.made, role=role)


def _known_kinds(kinds: Collection[str], known: Sequence[str]) -> Collection[str]:
    """`kinds`. Raises BadParameter where one of them is not `known`."""
    unknown = sorted(set(kinds) - set(known))
    if unknown:
        raise typer.BadParameter(
            f"no such kind: {', '.join(unknown)}; there are {', '.join(known)}", param_hint="'--only'"
        )
    return kinds


def _report(
    app: App,
    found: Planned,
    plan: Plan,
    began: float,
    *,
    applied: int = 0,
    dry_run: bool = False,
    role: LoggingRoleState | None = None,
) -> Report:
    """The chat after a deploy, or before it in a dry run, without asking AWS again."""
    from nwchatctl.operations import deploy, planning

    api_id, records = found.cloud.websocket_api.ids.api, found.dns_records
    release, endpoints = deploy.release_after(app, found, plan), planning.endpoints(app, api_id)
    consequences = planning.consequences_of(app, found, plan)
    shown: tuple[Line | TextTable, ...] = plan_lines(
        plan.changes, verbose=app.options.verbose, consequences=consequences
    )
    if not dry_run:
        done = f"{counted(applied, 'change')} made, release {release}"
        urls = [(name, url) for name, url in endpoints.items() if url]
        shown = (Line(done if plan else summary(()), Mark.GOOD), TextTable((), urls))
    return Report(
        data={
            **planning.chat_identity(app),
            "changes": as_json(plan.changes),
            "consequences": consequences_json(consequences),
            "applied": applied,
            "release": release if api_id else None,
            "endpoints": endpoints,
            "dns": dns_json(records),
            # What is set for the whole account, null for most deploys.
            "account_logging_role": app.cloud.logging_role.own_role if role and role.sets_role else None,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(*shown, *dns_lines(records)),
        notes=() if dry_run else dns_notes(records),
        warnings=(
            *found.kept_logs,
            *planning.account_warnings(app, found),
            *planning.origins_without_history(app),
            *unread_domains(found.live.facts),
        ),
    )
