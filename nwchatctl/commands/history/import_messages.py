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
from nwchatctl.report import Line, Mark, Report, counted

if TYPE_CHECKING:
    from nwchatctl.chat.history_import import InvalidLine
    from nwchatctl.chat.history_store import ImportCounts
    from nwchatctl.context import App

HELP = examples(
    ("what `history export` wrote", "nwchatctl history import chat.jsonl"),
    ("the site's own chats", "nwchatctl history import - < new_chats.json"),
    ("would all of it be taken?", "nwchatctl history import -n chat.jsonl"),
    ("what `history delete` deleted by mistake", "nwchatctl history import --replace deleted.jsonl"),
)

_SHOWN = 20
"""Bad lines, and ids, that are named on stderr; --json has more."""


def import_messages(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="Where from; - is stdin.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Also over another text with the same id, and what was deleted.",
            show_default=False,
        ),
    ] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> Report:
    """Store the messages of a file, without sending them to anybody.

    Takes what `history export` writes, one JSON object a line, arrays of such objects, and the site's own
    {"new_chats": {"chats": [...]}}; UTF-8, or UTF-16 with a byte order mark. Texts and names are cleaned as
    the chat cleans them. The same file twice, or again after Ctrl-C, stores nothing twice. A message that
    `history delete` deleted stays so, and a stored one keeps its text, unless --replace is given. What is
    older than tables.retention_days is left out. Exit code 5 when some entries were no messages, or differ
    from what is stored; all others are stored.
    """
    from nwchatctl.operations import history_import

    app: App = ctx.obj
    app.require_config()
    began = time.monotonic()
    with _opened(file) as source:
        app.print_target()
        name = "stdin" if file == "-" else file
        counts = history_import.import_messages(app, source, name, replace=replace, dry_run=dry_run)
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
    shown = [f"{each.place}: {each.reason}" for each in counts.reasons[:_SHOWN]]
    if counts.bad > len(shown):
        shown.append(f"and {counted(counts.bad - len(shown), 'more entry', 'more entries')} left out")
    if counts.different:
        ids = ", ".join(counts.different_ids[:_SHOWN])
        shown.append(f"stored with another text or name, and left so without --replace: {ids}")
    partly = bool(counts.bad or counts.different)
    return Report(
        data={
            "imported": counts.imported,
            "replaced": counts.replaced,
            "already": counts.already,
            "cleaned": counts.cleaned,
            "different": counts.different,
            "different_ids": counts.different_ids,
            "deleted": counts.deleted,
            "expired": counts.expired,
            "bad": counts.bad,
            "bad_lines": [_bad_line(each) for each in counts.reasons],
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(
            Line(_summary(counts, dry_run), Mark.WARN if partly else Mark.PLAIN if dry_run else Mark.GOOD),
        ),
        exit_code=Exit.PARTLY if partly else Exit.DONE,
        warnings=tuple(shown),
    )


def _bad_line(line: InvalidLine) -> dict[str, object]:
    item = {"item": line.item} if line.item else {}
    return {"line": line.number, **item, "reason": line.reason}


def _summary(counts: ImportCounts, dry_run: bool) -> str:
    verb = "would be imported" if dry_run else "imported"
    others = (
        (counts.replaced, "replaced"),
        (counts.cleaned, "of them cleaned"),
        (counts.already, "stored already"),
        (counts.different, "different from what is stored"),
        (counts.deleted, "deleted before"),
        (counts.expired, "too old to be kept"),
    )
    parts = [
        f"{counted(counts.imported, 'message')} {verb}",
        *(f"{number} {text}" for number, text in others if number),
    ]
    if counts.bad:
        parts.append(f"{counted(counts.bad, 'bad line')} left out")
    return ", ".join(parts)
