"""`history import`: messages out of a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, examples, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchatctl.chat.history_store import ImportCounts
    from nwchatctl.context import App

HELP = examples(
    ("what `history export` wrote", "nwchatctl history import chat.jsonl"),
    ("the site's own chats", "nwchatctl history import - < new_chats.json"),
    ("would all of it be taken?", "nwchatctl history import -n chat.jsonl"),
)

_SHOWN = 20
"""Bad lines that are named on stderr; --json has more."""


def import_messages(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="Where from; - is stdin.")],
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Store the messages of a file, without sending them to anybody.

    Takes what `history export` writes, one JSON object a line, and the site's own {"new_chats": {"chats":
    [...]}}. The same file twice, or again after Ctrl-C, stores nothing twice. What is older than
    tables.retention_days is left out. Exit code 5 when some lines were no messages; all others are stored.
    """
    from nwchatctl.operations import history_files

    app: App = ctx.obj
    app.require_config()
    began = time.monotonic()
    with _opened(file) as source:
        app.print_target()
        counts = history_files.import_messages(app, source, dry_run=dry_run)
    return _report(counts, began, dry_run)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    try:
        with ExitStack() as stack:
            source = stdin_bytes() if name == "-" else stack.enter_context(Path(name).open("rb"))
            yield source
    except OSError as error:
        raise ChatError(
            f"{name} cannot be read: {error.strerror or error}",
            hint="name a file, or - for stdin",
            code="file_unreadable",
            exit_code=Exit.USAGE,
        ) from error


def _report(counts: ImportCounts, began: float, dry_run: bool) -> Report:
    verb = "would be imported" if dry_run else "imported"
    text = f"{counts.imported} messages {verb}"
    if counts.expired:
        text += f", {counts.expired} too old to be kept"
    if counts.bad:
        text += f", {counts.bad} bad lines left out"
    shown = [f"line {each.number}: {each.reason}" for each in counts.reasons[:_SHOWN]]
    if counts.bad > len(shown):
        shown.append(f"and {counts.bad - len(shown)} more bad lines")
    return Report(
        data={
            "imported": counts.imported,
            "expired": counts.expired,
            "bad": counts.bad,
            "bad_lines": [{"line": each.number, "reason": each.reason} for each in counts.reasons],
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(text, Mark.WARN if counts.bad else Mark.PLAIN if dry_run else Mark.GOOD),),
        exit_code=Exit.PARTLY if counts.bad else Exit.DONE,
        warnings=tuple(shown),
    )
