"""`history delete`: delete messages by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.history.tail import name_cell
from nwchatctl.commands.options import DryRunOption, JsonOption, examples
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report, TextTable, counted
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.history_delete import DeletedMessages

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
    objects that `history import --replace` takes one a line (jq -c '.deleted[]'). Other imports do not bring
    them back. Exit code 4 when none of them was
    there, 5 when some were not. Browsers that show a message go on doing so until they ask for the history
    again.
    """
    from nwchatctl.operations.history_delete import delete_by_id

    app: App = ctx.obj
    app.require_config()
    app.print_target()
    return _report(delete_by_id(app, ids, dry_run), dry_run)


def _report(deleted: DeletedMessages, dry_run: bool) -> Report:
    found, missing = deleted.found, deleted.missing
    if not found:
        raise ChatError(
            f"there is no message {', '.join(missing)}",
            hint="`nwchatctl history tail --json` shows ids",
            code="no_message",
            exit_code=Exit.NOT_FOUND,
        )
    rows = ((each.id, local(each.date), name_cell(each), each.message) for each in found)
    verb = "would be deleted" if dry_run else "deleted"
    return Report(
        data={"deleted": deleted.data, "not_found": missing, "dry_run": dry_run},
        body=(
            TextTable((), rows, only_copy=True),
            Line(f"{counted(len(found), 'message')} {verb}", Mark.PLAIN if dry_run else Mark.GOOD),
        ),
        exit_code=Exit.PARTLY if missing else Exit.DONE,
        warnings=tuple(f"there is no message {each}" for each in missing),
    )
