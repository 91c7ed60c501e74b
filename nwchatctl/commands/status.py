"""`status`: what is there, and how it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.output.domain_view import (
    dns_json,
    dns_lines,
    domain_rows,
    problem_lines,
    problems_json,
    unread_domains,
)
from nwchatctl.output.plan_view import as_json, plan_lines
from nwchatctl.report import Line, Mark, Report, TextTable, counted
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App
    from nwchatctl.deploy.model.storage import Queue
    from nwchatctl.operations.planning import Planned
    from nwchatctl.operations.status import ChatStatus

HELP = examples(
    ("is it there, and as configured?", "nwchatctl status"),
    ("from monitoring: exit 6 when something differs", "nwchatctl -q status --check"),
    ("the address, for a script", "nwchatctl status --json | jq -r .endpoints.websocket"),
)


def status(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit 6 when anything differs.")] = False,
    json: JsonOption = False,
) -> Report:
    """Show where the chat is and how it does.

    Endpoints, release, who may come in, how many are connected and how many banned, the last message, and the
    state of each resource: whatever differs from the configuration is listed as `plan` lists it.
    """
    from nwchatctl.operations.status import read_status

    app: App = ctx.obj
    began = time.monotonic()
    now = read_status(app)
    found, changes, last = now.found, as_json(now.found.plan.changes), now.last_message
    return Report(
        data={
            **now.chat,
            "changes": changes,
            "release": now.release,
            "endpoints": now.endpoints,
            "auth": "token" if now.requires_token else "open",
            "connections": now.connected,
            "bans": now.banned,
            "last_message": iso(last.date) if last else None,
            "dead_letters": now.dead_letters.waiting if now.dead_letters else None,
            "drift": changes,
            "dns": dns_json(found.dns_records),
            "problems": problems_json(found.domains.problems),
            "resources": len(found.live.state),
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            TextTable((), _rows(now)),
            *_undelivered(now.dead_letters),
            *dns_lines(found.dns_records),
            *problem_lines(found.domains.problems),
            TextTable(("kind", "name", "state"), now.resource_rows),
            *_drift(found, verbose=app.options.verbose),
        ),
        warnings=(*_no_api(app, now), *now.account_warnings, *unread_domains(found.live.facts)),
        exit_code=Exit.DIFFERS if check and (changes or found.domains.problems) else Exit.DONE,
        requested=not check,
    )


def _no_api(app: App, now: ChatStatus) -> tuple[str, ...]:
    if now.endpoints["websocket"]:
        return ()
    deploy = app.command("deploy")
    return (
        f"the WebSocket API is missing: nobody can connect. `{deploy}` creates one, with another address",
    )


def _rows(now: ChatStatus) -> list[tuple[str, str]]:
    letters = now.dead_letters
    return [
        *((name, url) for name, url in now.endpoints.items() if url),
        ("release", now.release or "none: aliases and stage are of different ones"),
        *now.lock_rows,
        ("may come in", "who has a token" if now.requires_token else "everybody"),
        ("connections", "-" if now.connected is None else str(now.connected)),
        ("bans", "-" if now.banned is None else str(now.banned)),
        ("last message", _message(now.last_message)),
        ("dead letters", "-" if letters is None else str(letters.waiting)),
        *domain_rows(now.found.domains.plans, now.changed),
    ]


def _undelivered(letters: Queue | None) -> tuple[Line, ...]:
    if letters is None or not letters.waiting:
        return ()
    waiting = counted(letters.waiting, "segment")
    were = "was" if letters.waiting == 1 else "were"
    lost = f"{waiting} of messages to all {were} not sent; clients have them from the history"
    return (
        Line(lost, Mark.WARN),
        Line(f"  to see them: aws sqs receive-message --queue-url {letters.url}", Mark.WARN),
        Line(f"  when dealt with: aws sqs purge-queue --queue-url {letters.url}", Mark.WARN),
    )


def _drift(found: Planned, *, verbose: bool) -> tuple[Line, ...]:
    changes = found.plan.changes
    if found.domains.problems and not changes:
        return (Line("nothing else differs", Mark.WARN),)
    return plan_lines(changes, Mark.WARN if changes else Mark.GOOD, verbose=verbose)


def _message(message: Message | None) -> str:
    return f"{local(message.date)} by {message.uname or message.sender_id or '-'}" if message else "-"
