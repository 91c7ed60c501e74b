"""`broadcast`: an announcement to everybody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, examples, require_unicode, stdin_bytes
from nwchatctl.errors import ChatError, Exit, usage_error
from nwchatctl.report import Line, Mark, Report, counted
from nwchatctl.signals import stopped_exit_code

if TYPE_CHECKING:
    from nwchatctl.chat.broadcast_message import BroadcastResult
    from nwchatctl.context import App
    from nwchatctl.operations.broadcast.request import BroadcastRequest

HELP = examples(
    ("to everybody, now and in history", 'nwchatctl broadcast "Restart at eight"'),
    (
        "from cron, once a day whatever happens",
        'nwchatctl -q broadcast --id "restart-$(date +%F)" "Restart at eight"',
    ),
    ("to one player", 'nwchatctl broadcast --to-user 128274 "Your clan was attacked"'),
    ("a text of several lines, from a file", "nwchatctl broadcast - < notice.txt"),
)

_MAX_STDIN = 256 * 1024


class Via(StrEnum):
    """Who posts."""

    HERE = "here"
    LAMBDA = "lambda"


def broadcast(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="The announcement; - reads it from stdin.")],
    sender: Annotated[str, typer.Option("--as", metavar="NAME", help="Whose name it bears.")] = "operator",
    key: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help="Send once under this id, within a day; no other text under it."
        ),
    ] = None,
    to_user: Annotated[
        str | None,
        typer.Option(
            "--to-user",
            metavar="ID",
            help="Only to this sender_id; without tokens, to every socket that claims this id or name.",
        ),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Do not keep it in the history.")] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            min=1,
            help="At most so many posts a second; by default what sending.* leaves.",
        ),
    ] = None,
    via: Annotated[
        Via,
        typer.Option("--via", help="Who posts: this machine, or the chat's function, for very many sockets."),
    ] = Via.HERE,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Send an announcement to everybody.

    It is stored in the history and sent to all who are connected. With --to-user it is not stored: the
    history is everybody's. With auth.mode "token" it reaches only sockets whose token has that sender_id;
    with "open", everybody who claims that id or name receives it. Exit code 4 if no connection has it. Each
    post is sent at least once, and clients show each id once. Exit code 5 if some open connections could not
    be reached; with --id, running the same command again reaches the rest. Connections whose clients do not
    read are closed: these clients connect again and get the announcement from the history, unless it is not
    stored.
    """
    from nwchatctl.operations.broadcast import request, run

    app: App = ctx.obj
    app.require_config()
    if via is Via.LAMBDA and to_user:
        raise usage_error(
            "--via lambda sends to everybody, not to one user", "leave one of --via and --to-user out"
        )
    if text == "-":
        text = _announcement_of(stdin_bytes().read(_MAX_STDIN))
    require_unicode(text, sender, to_user or "", key or "")
    announcement = request.make_request(
        app, text, sender, key=key or "", to_user=to_user or "", ephemeral=ephemeral, rate=rate, via=via.value
    )
    began = time.monotonic()
    if dry_run:
        return _report(run.preview(app, announcement), announcement, began, dry_run=True)
    return _report(run.run(app, announcement), announcement, began, dry_run=False)


def _announcement_of(raw: bytes) -> str:
    """The text of stdin. Raises ChatError `not_utf8`, exit 2: what is sent cannot be taken back."""
    try:
        # Some editors begin a file of UTF-8 with a byte order mark. Of a text that is cut, the last character
        # may be too; it is too long in any case.
        return raw.decode("utf-8-sig", "replace" if len(raw) == _MAX_STDIN else "strict")
    except UnicodeDecodeError as error:
        raise ChatError(
            f"stdin is not UTF-8: byte {error.start + 1} fits no character",
            hint="convert it, for example: iconv -f LATIN1 -t UTF-8 FILE | nwchatctl broadcast -",
            code="not_utf8",
            exit_code=Exit.USAGE,
        ) from None


def _report(sent: BroadcastResult, announcement: BroadcastRequest, began: float, *, dry_run: bool) -> Report:
    counts = sent.counts
    failed = counts.failed + counts.refused
    missed = bool(failed or (counts.buffer_full and announcement.ephemeral))
    if sent.already_sent:
        line = Line(f"already sent as {sent.id}: nothing done", Mark.GOOD)
    elif dry_run:
        line = Line(f"would be sent to {counted(counts.recipients, 'connection')}", Mark.PLAIN)
    else:
        begun = " (begun before)" if sent.resumed else ""
        slow = f", {counts.buffer_full} not reading" if counts.buffer_full else ""
        line = Line(
            f"sent as {sent.id}{begun}: {counts.delivered} delivered, {counts.gone} gone, "
            f"{failed} failed{slow}",
            Mark.WARN if missed or sent.stopped else Mark.GOOD,
        )
    return Report(
        data={
            "id": sent.id,
            "already_sent": sent.already_sent,
            "recipients": counts.recipients,
            "delivered": counts.delivered,
            "gone": counts.gone,
            "failed": failed,
            "buffer_full": counts.buffer_full,
            "disconnected": counts.disconnected,
            "throttled_retries": counts.retries,
            "dry_run": dry_run,
            "resumed": sent.resumed,
            "stopped": sent.stopped or ("broken off" if counts.broken_off else None),
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(line,),
        exit_code=_exit_code(sent, missed=missed),
        warnings=tuple(_warnings(sent, announcement)),
    )


def _exit_code(sent: BroadcastResult, *, missed: bool) -> Exit:
    counts = sent.counts
    if sent.stopped:
        return stopped_exit_code(sent.stopped, partly=bool(counts.delivered))
    if counts.broken_off and not counts.delivered:
        return Exit.FAILED
    return Exit.PARTLY if missed or counts.cut_short else Exit.DONE


def _warnings(sent: BroadcastResult, announcement: BroadcastRequest) -> Iterator[str]:
    if announcement.claimed_by:
        yield f'auth.mode is "open": everybody who claims to be {announcement.claimed_by} receives it'
    again = "with --id, the same command again goes on"
    if sent.stopped:
        yield f"{sent.stopped}: not everybody was reached; {again}"
    elif sent.counts.broken_off:
        yield (
            f"broken off, not everybody was tried: {sent.counts.broken_off}; for 403, attach the "
            f"policy of `nwchatctl policy run`, and `nwchatctl deploy` mends the stage; {again}"
        )
    if full := sent.counts.buffer_full:
        later = (
            "they do not get the announcement"
            if announcement.ephemeral
            else "clients get the announcement from the history"
        )
        yield (
            f"{counted(full, 'connection')} {'does' if full == 1 else 'do'} not read, so "
            f"{sent.counts.disconnected} of them were closed; {later}"
        )
    for reason, times in sent.counts.reasons:
        yield f"{counted(times, 'time')}: {reason}"
