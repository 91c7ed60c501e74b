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
from nwchatctl.output.plan_view import as_json, as_lines, summary
from nwchatctl.report import Line, Mark, Report, TextTable, counted
from nwchatctl.timestamps import iso, local

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwchat.model.wire import Message
    from nwchatctl.context import App
    from nwchatctl.deploy.model.storage import Queue
    from nwchatctl.operations.planning import Planned
    from nwchatctl.operations.status import ChatStatus

HELP = examples(
    ("is it there, and as configured?", "nwchatctl status"),
    ("from monitoring: exit 6 when something differs", "nwchatctl -q status --check"),
    ("every resource and its state", "nwchatctl status --all"),
    ("the address, for a script", "nwchatctl status --json | jq -r .endpoints.websocket"),
)


_SCREEN = 23
"""Lines that a terminal of the usual 24 shows above its prompt."""


def status(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit 6 when anything differs.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="List every resource with its state, as -v does.", show_default=False),
    ] = False,
    json: JsonOption = False,
) -> Report:
    """Show where the chat is and how it does.

    On one screen: chat, account, Region and settings file, endpoints, release, who may come in, how many are
    connected and how many banned, the last message, and whatever differs from the configuration, as `plan`
    lists it. In a pipe each line of the summary is a name, a tab and a value.
    """
    from nwchatctl.operations.status import read_status

    app: App = ctx.obj
    began = time.monotonic()
    now = read_status(app)
    found, changes, last = now.found, as_json(now.found.plan.changes), now.last_message
    return Report(
        data={
            **now.chat,
            "settings": now.settings_file,
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
            "resource_states": [
                {"kind": kind, "name": name, "state": state} for kind, name, state in now.resource_states
            ],
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=_body(app, now, everything=everything or app.options.verbose),
        warnings=(*_no_api(app, now), *now.account_warnings, *unread_domains(found.live.facts)),
        exit_code=Exit.DIFFERS if check and (changes or found.domains.problems) else Exit.DONE,
        requested=not check,
    )


def _body(app: App, now: ChatStatus, *, everything: bool) -> tuple[Line | TextTable, ...]:
    """The summary, and what differs: all of it, or as much as fits on a screen with the rest."""
    rows, found = _rows(now), now.found
    lines = (
        *_undelivered(now.dead_letters),
        *dns_lines(found.dns_records),
        *problem_lines(found.domains.problems),
    )
    drift = as_lines(found.plan.changes, verbose=app.options.verbose)
    if everything:
        return (TextTable((), rows), *lines, TextTable(("resource", "state"), _resources(now)), *drift)
    if app.streams.out_terminal:
        room = _SCREEN - len(rows) - len(lines)
        drift = fitting(drift, room, app.streams.width, app.command("status", "--all"))
    return (TextTable((), rows), *lines, *drift)


def fitting(lines: Sequence[Line], room: int, width: int, command: str) -> tuple[Line, ...]:
    """As many of the lines as fit into `room` lines of a terminal; then how many are left out."""
    heights = [max(-(-len(each.text) // width), 1) for each in lines]
    if sum(heights) <= room:
        return tuple(lines)
    shown = 0
    while sum(heights[: shown + 1]) < room:
        shown += 1
    left_out = counted(len(lines) - shown, "line")
    return (*lines[:shown], Line(f"… and {left_out} more: {command}", Mark.DIM))


def _resources(now: ChatStatus) -> list[tuple[str, str]]:
    """A row for each resource. Names with blanks, as of permissions, get slashes: a key is one word."""
    return [("/".join((kind, *name.split())), state) for kind, name, state in now.resource_states]


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
        *((name, str(now.chat[name])) for name in ("chat", "account", "region")),
        ("settings", now.settings_file or "none: defaults and NWCHAT_ variables"),
        ("stage", str(now.chat["stage"])),
        *((name, url) for name, url in now.endpoints.items() if url),
        ("release", now.release or "inconsistent: aliases and stage belong to different releases"),
        *now.lock_rows,
        ("auth", "token" if now.requires_token else "open: everybody may come in, under any name"),
        ("connections", "-" if now.connected is None else str(now.connected)),
        ("bans", "-" if now.banned is None else str(now.banned)),
        ("last_message", _message(now.last_message)),
        ("dead_letters", "-" if letters is None else str(letters.waiting)),
        *domain_rows(now.found.domains.plans, now.changed),
        ("state", _state(now.found)),
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


def _state(found: Planned) -> str:
    """Whether anything differs from the configuration, in a few words."""
    if found.plan:
        return f"differs: {summary(found.plan.changes)}"
    return "the domain has a problem" if found.domains.problems else "as configured"


def _message(message: Message | None) -> str:
    return f"{local(message.date)} by {message.uname or message.sender_id or '-'}" if message else "-"
