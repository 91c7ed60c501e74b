"""`broadcast`: an announcement to everybody."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.spreading import Counts
    from nwchat.wire import Message
    from nwchatctl.chat.broadcasting import Sent
    from nwchatctl.context import App

HELP = examples(
    ("to everybody, now and in history", 'nwchatctl broadcast "Restart at eight"'),
    (
        "from cron, once a day whatever happens",
        'nwchatctl -q broadcast --id "restart-$(date +%F)" "Restart at eight"',
    ),
    ("a text of several lines, from a file", "nwchatctl broadcast - < notice.txt"),
)

_WORKERS = 32
"""Posts at once: as many as the client keeps connections open for."""

_MAX_STDIN = 256 * 1024


def broadcast(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="The announcement; - reads it from stdin.")],
    sender: Annotated[str, typer.Option("--as", metavar="NAME", help="Whose name it bears.")] = "operator",
    key: Annotated[
        str,
        typer.Option("--id", metavar="ID", help="Send once under this id, within a day of its first use."),
    ] = "",
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Do not keep it in the history.")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Send an announcement to everybody.

    It is stored in the history and sent to all who are connected. Exit code 5 when some could not be
    reached though they are connected.
    """
    from nwchat.keys import ulid
    from nwchatctl.chat import broadcasting
    from nwchatctl.commands._chat import not_deployed

    app: App = ctx.obj
    app.require_config()
    if key and ephemeral:
        raise ChatError(
            "--id works by the history, which --ephemeral leaves out",
            hint="give one of them",
            code="usage",
            exit_code=Exit.USAGE,
        )
    now_ms = app.now_ms()
    said = sys.stdin.buffer.read(_MAX_STDIN).decode("utf-8", "replace") if text == "-" else text
    message = broadcasting.compose(
        said, sender, app.limits, new_id=ulid(now_ms, os.urandom(10)), now_ms=now_ms
    )
    app.announce()
    if not app.cloud.find_api():
        raise not_deployed(app)
    began = time.monotonic()
    if dry_run:
        recipients = sum(len(page) for page in app.store.connections(now_ms))
        return _report(_nobody(message, recipients), began, dry_run=True)
    sent = broadcasting.broadcast(
        message,
        key=key,
        retention_days=app.settings.tables.retention_days,
        append=None if ephemeral else app.store.append,
        send=lambda each: _send(app, each),
    )
    return _report(sent, began, dry_run=False)


def _send(app: App, message: Message) -> Counts:
    from nwchat.ahead import Ahead
    from nwchat.scanning import Part
    from nwchat.wire import message_frame

    now_ms = app.now_ms()
    everybody = Ahead([lambda: (found.recipients for found in app.store.scan(Part(), now_ms))])
    with app.bar("sent") as bar:

        def tick(counts: Counts) -> str:
            bar.update(counts.recipients)
            return ""

        return app.poster.spread(everybody, message_frame(message).encode(), tick=tick)


def _nobody(message: Message, recipients: int) -> Sent:
    from nwchat.spreading import Counts
    from nwchatctl.chat.broadcasting import Sent

    return Sent(message.id, False, Counts(recipients=recipients))


def _report(sent: Sent, began: float, *, dry_run: bool) -> Report:
    from nwchat.spreading import Counts

    counts = sent.counts or Counts()
    failed = counts.failed + counts.refused
    if sent.already_sent:
        line = Line(f"already sent as {sent.id}: nothing done", Mark.GOOD)
    elif dry_run:
        line = Line(f"would be sent to {counts.recipients} connections", Mark.PLAIN)
    else:
        line = Line(
            f"sent as {sent.id}: {counts.delivered} delivered, {counts.gone} gone, {failed} failed",
            Mark.WARN if failed else Mark.GOOD,
        )
    return Report(
        data={
            "id": sent.id,
            "already_sent": sent.already_sent,
            "recipients": counts.recipients,
            "delivered": counts.delivered,
            "gone": counts.gone,
            "failed": failed,
            "throttled_retries": counts.retries,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(line,),
        exit_code=Exit.PARTLY if failed else Exit.DONE,
        warnings=tuple(f"{times} times: {reason}" for reason, times in counts.reasons),
    )
