"""`history delete`: delete messages by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report, TextTable

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.context import App


HELP = examples(
    ("find it", "nwchatctl history tail --grep 'bad word' --json | jq -r .id"),
    ("delete it", "nwchatctl history delete 01HZX3VKQ8M4T6W2Y0N5R7C9PA"),
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
    app.print_target()
    messages = app.messages()
    found: list[Message] = []
    missing: list[str] = []
    try:
        for key in dict.fromkeys(ids):
            message = messages.get(key) if dry_run else messages.delete_one(key)
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
    from nwchatctl.chat.history_export import fields
    from nwchatctl.timestamps import local

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
        body=(
            TextTable((), rows),
            Line(f"{len(found)} messages {verb}", Mark.PLAIN if dry_run else Mark.GOOD),
        ),
        exit_code=Exit.PARTLY if missing else Exit.DONE,
        warnings=tuple(f"there is no message {each}" for each in missing),
    )
