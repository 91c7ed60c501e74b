"""`status`: what is there, and how it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, examples
from nwchatctl.errors import Exit
from nwchatctl.report import Line, Mark, Report, TextTable

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App
    from nwchatctl.deploy.model.storage import Queue
    from nwchatctl.operations.planning import Planned

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
    from nwchatctl.deploy.releases import running_release
    from nwchatctl.deploy.token_switch import stage_requires_token
    from nwchatctl.operations.deployed_api import not_deployed
    from nwchatctl.operations.lock import at_it
    from nwchatctl.operations.planning import endpoints, planned, whereabouts
    from nwchatctl.output.domain_view import (
        dns_json,
        dns_lines,
        domain_rows,
        problem_lines,
        problems_json,
        unread_domains,
    )
    from nwchatctl.output.plan_view import as_json

    app: App = ctx.obj
    began = time.monotonic()
    found = planned(app, lenient=True)
    if not found.deployed:
        raise not_deployed(app)
    drift = found.plan.changes
    tokens = stage_requires_token(found.live.state, app.settings.stage.name)
    connected, banned, last = _activity(app, found)
    links = endpoints(app, found.live.api_id)
    letters = _dead_letters(found)
    records = found.live.rows.records
    runs = running_release(found.live.state, app.settings.stage.name, records)
    if runs not in {each.release.name for each in records}:
        runs = None
    changes = as_json(drift)
    return Report(
        data={
            **whereabouts(app),
            "changes": changes,
            "release": runs,
            "endpoints": links,
            "auth": "token" if tokens else "open",
            "connections": connected,
            "bans": banned,
            "last_message": _iso(last),
            "dead_letters": letters.waiting if letters else None,
            "drift": changes,
            "dns": dns_json(found.dns_records),
            "problems": problems_json(found.domains.problems),
            "resources": len(found.live.state),
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            TextTable(
                (),
                [
                    *((name, url) for name, url in links.items() if url),
                    ("release", runs or "none: aliases and stage are of different ones"),
                    *at_it(app, found.live.rows.lock),
                    ("may come in", "who has a token" if tokens else "everybody"),
                    ("connections", "-" if connected is None else str(connected)),
                    ("bans", "-" if banned is None else str(banned)),
                    ("last message", _said(last)),
                    ("dead letters", "-" if letters is None else str(letters.waiting)),
                    *domain_rows(found.domains.plans, drift),
                ],
            ),
            *_undelivered(letters),
            *dns_lines(found.dns_records),
            *problem_lines(found.domains.problems),
            TextTable(("kind", "name", "state"), _states(found)),
            *_drift(app, found),
        ),
        warnings=unread_domains(found.live.facts),
        exit_code=Exit.DIFFERS if check and (drift or found.domains.problems) else Exit.DONE,
    )


def _activity(app: App, found: Planned) -> tuple[int | None, int | None, Message | None]:
    """How many are connected, how many bans hold, and the newest message; None for what has no table to say
    it."""
    from nwchatctl.operations.bans import bans_table

    names, now_ms = found.cloud.names, app.now_ms()
    connected, banned, last = None, None, None
    if ("table", names.connections) in found.live.state:
        connected = sum(len(page) for page in app.store.connections(now_ms))
    if ("table", names.messages) in found.live.state:
        last = next(iter(app.store.page(1, now_ms).messages), None)
        banned = sum(each.holds(now_ms) for each in bans_table(app).all())
    return connected, banned, last


def _dead_letters(found: Planned) -> Queue | None:
    """The queue of what the fanout function could not do; None where there is none."""
    from nwchatctl.deploy.model.storage import Queue

    queue = found.live.state.get((Queue.kind, found.cloud.names.dead_letters))
    return queue if isinstance(queue, Queue) else None


def _undelivered(letters: Queue | None) -> tuple[Line, ...]:
    if letters is None or not letters.waiting:
        return ()
    lost = f"{letters.waiting} segments of messages to all were not sent; whoever missed one has the history"
    return (
        Line(lost, Mark.WARN),
        Line(f"  to see them: aws sqs receive-message --queue-url {letters.url}", Mark.WARN),
        Line(f"  when dealt with: aws sqs purge-queue --queue-url {letters.url}", Mark.WARN),
    )


def _states(found: Planned) -> list[tuple[str, str, str]]:
    from nwchatctl.deploy.changes import changed_key

    words = {"create": "missing", "update": "differs", "delete": "not wanted"}
    changed = {changed_key(each): words[each.action] for each in found.plan.changes}
    return [(kind, name, changed.get((kind, name), "ok")) for kind, name in _resources(found)]


def _resources(found: Planned) -> list[tuple[str, str]]:
    from nwchatctl.deploy.planner import ORDER

    # Former versions, deployments and releases are nothing that has a state.
    former = ("version", "deployment", "release")
    every = {where for where in found.live.state if where[0] not in former} | set(found.wanted)
    return sorted(every, key=lambda where: (ORDER.index(where[0]), where[1]))


def _drift(app: App, found: Planned) -> tuple[Line, ...]:
    from nwchatctl.output.plan_view import as_lines, summary

    changes = found.plan.changes
    if found.domains.problems and not changes:
        return (Line("nothing else differs", Mark.WARN),)
    return (
        *as_lines(changes, verbose=app.options.verbose),
        Line(summary(changes), Mark.WARN if changes else Mark.GOOD),
    )


def _said(message: Message | None) -> str:
    from nwchatctl.timestamps import local

    return f"{local(message.date)} by {message.uname or message.sender_id or '-'}" if message else "-"


def _iso(message: Message | None) -> str | None:
    from nwchatctl.timestamps import iso

    return iso(message.date) if message else None
