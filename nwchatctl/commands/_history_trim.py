"""`history trim` and `history delete`: messages go for good."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, WhenOption, examples, parse_when
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report, Table

if TYPE_CHECKING:
    from nwchat.wire import Message
    from nwchatctl.aws.messages import Messages
    from nwchatctl.context import App

TRIM_HELP = examples(
    ("how many would go?", "nwchatctl history trim --keep 1000 -n"),
    (
        "nightly from cron, as the site's shortenChat",
        "nwchatctl -q history trim --keep 1000 --confirm ninjawars",
    ),
    ("whatever is older than 30 days", "nwchatctl history trim --before 30d"),
)

DELETE_HELP = examples(
    ("find it", "nwchatctl history tail --grep 'bad word' --json | jq -r .id"),
    ("delete it", "nwchatctl history delete 01HZX3VKQ8M4T6W2Y0N5R7C9PA"),
)


def trim(
    ctx: typer.Context,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Keep the newest so many, no others.")
    ] = None,
    before: Annotated[
        WhenOption,
        typer.Option("--before", parser=parse_when, metavar="TIME", help="Delete those older than that."),
    ] = None,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The chat's name, instead of typing it.")
    ] = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Delete old messages.

    Oldest first; after Ctrl-C, the same command goes on. What comes meanwhile stays. The chat's name is to be
    typed, or given with --confirm.
    """
    app: App = ctx.obj
    app.require_config()
    if (keep is None) == (before is None):
        raise ChatError(
            "trim needs to know what stays: --keep N, or --before TIME",
            hint="give one of them",
            code="usage",
            exit_code=Exit.USAGE,
        )
    began = time.monotonic()
    app.announce()
    messages = app.messages()
    limit = _limit(app, messages, keep, before)
    found = messages.count(limit) if limit else 0
    deleted = 0
    if found and not dry_run:
        app.say(Line(f"{found} messages are to be deleted", Mark.REMOVE))
        app.confirm_name(app.settings.chat.name, given=confirm)
        deleted = _delete(app, messages, limit, found)
    return _trimmed(found, deleted, began, dry_run)


def _limit(app: App, messages: Messages, keep: int | None, before: WhenOption) -> str:
    """The id that the first message to stay has; "" when all stay."""
    from nwchat.keys import first_ulid

    if before is not None:
        return first_ulid(before.epoch_ms(app.now_ms()))
    if keep:
        return messages.oldest_of_newest(keep) or ""
    # Whoever keeps none wants an empty room, not one without what is being said now.
    return first_ulid(app.now_ms() + 1)


def _delete(app: App, messages: Messages, limit: str, found: int) -> int:
    deleted = 0
    with app.bar("deleted", found) as bar:
        try:
            for count in messages.delete(messages.keys(limit)):
                deleted += count
                bar.update(deleted)
        except BaseException as error:
            if deleted:
                error.add_note(f"{deleted} of {found} messages are deleted; the same command goes on")
            raise
    return deleted


def _trimmed(found: int, deleted: int, began: float, dry_run: bool) -> Report:
    if not found:
        line = Line("nothing to do: no message is that old", Mark.GOOD)
    elif dry_run:
        line = Line(f"{found} messages would be deleted")
    else:
        line = Line(f"{deleted} messages deleted", Mark.GOOD)
    return Report(
        data={
            "found": found,
            "deleted": deleted,
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(line,),
    )


def delete(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="As `history tail --json` shows them.")],
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Delete messages by their ids.

    Asks nothing: an id says what is meant. Each is shown as it was; with --json they are in `deleted`, as
    objects that `history import` takes one a line (jq -c '.deleted[]'). Exit code 4 when none of them was
    there, 5 when some were not. Browsers that show a message go on doing so until they ask for the history
    again.
    """
    app: App = ctx.obj
    app.require_config()
    app.announce()
    messages = app.messages()
    found: list[Message] = []
    missing: list[str] = []
    try:
        for key in dict.fromkeys(ids):
            message = messages.get(key) if dry_run else messages.take_out(key)
            if message is None:
                missing.append(key)
            else:
                found.append(message)
    except BaseException as error:
        if found and not dry_run:
            error.add_note(f"{', '.join(each.id for each in found)} deleted")
        raise
    return _deleted(found, missing, dry_run)


def _deleted(found: list[Message], missing: list[str], dry_run: bool) -> Report:
    from nwchatctl.chat.exporting import fields
    from nwchatctl.commands._times import local

    if not found:
        raise ChatError(
            f"there is no message {', '.join(missing)}",
            hint="`nwchatctl history tail --json` shows ids",
            code="no_message",
            exit_code=Exit.NOT_FOUND,
        )
    rows = ((each.id, local(each.date), each.uname or each.sender_id, each.message) for each in found)
    verb = "would be deleted" if dry_run else "deleted"
    return Report(
        data={"deleted": [fields(each) for each in found], "not_found": missing, "dry_run": dry_run},
        body=(Table((), rows), Line(f"{len(found)} messages {verb}", Mark.PLAIN if dry_run else Mark.GOOD)),
        exit_code=Exit.PARTLY if missing else Exit.DONE,
        warnings=tuple(f"there is no message {each}" for each in missing),
    )
