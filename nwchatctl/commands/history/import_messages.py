"""`history import`: messages out of a file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nwchatctl.commands.options import DryRunOption, JsonOption, examples, stdin_bytes
from nwchatctl.errors import ChatError, Exit
from nwchatctl.report import Line, Mark, Report

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.chat.history_store import ImportCounts
    from nwchatctl.context import App

HELP = examples(
    ("what `history export` wrote", "nwchatctl history import chat.jsonl"),
    ("the site's own chats", "nwchatctl history import - < new_chats.json"),
    ("would all of it be taken?", "nwchatctl history import -n chat.jsonl"),
)

_SHOWN = 20
"""Bad lines that are named on stderr; --json has more."""

_AHEAD_MS = 600_000
"""How far the clock of whoever made the file may be ahead of ours."""


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
    from nwchatctl.chat import history_import, history_store
    from nwchatctl.operations.deployed_api import require_api

    app: App = ctx.obj
    app.require_config()
    began = time.monotonic()
    tally = history_store.ImportCounts()
    with _opened(file) as source:
        app.print_target()
        if dry_run:
            require_api(app)
        put = _nowhere if dry_run else app.messages().put
        with app.bar("read") as bar:
            try:
                history_store.store(
                    history_import.read(source, app.now_ms() + _AHEAD_MS),
                    put,
                    tally,
                    retention_days=app.settings.tables.retention_days,
                    now_ms=app.now_ms,
                    progress=bar.update,
                )
            except BaseException as error:
                if tally.imported and not dry_run:
                    error.add_note(f"{tally.imported} messages are stored; the same command does the rest")
                raise
    return _report(tally, began, dry_run)


def _nowhere(messages: Iterable[tuple[Message, int]]) -> None: ...


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


def _report(tally: ImportCounts, began: float, dry_run: bool) -> Report:
    verb = "would be imported" if dry_run else "imported"
    text = f"{tally.imported} messages {verb}"
    if tally.expired:
        text += f", {tally.expired} too old to be kept"
    if tally.bad:
        text += f", {tally.bad} bad lines left out"
    shown = [f"line {each.number}: {each.reason}" for each in tally.reasons[:_SHOWN]]
    if tally.bad > len(shown):
        shown.append(f"and {tally.bad - len(shown)} more bad lines")
    return Report(
        data={
            "imported": tally.imported,
            "expired": tally.expired,
            "bad": tally.bad,
            "bad_lines": [{"line": each.number, "reason": each.reason} for each in tally.reasons],
            "dry_run": dry_run,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(text, Mark.WARN if tally.bad else Mark.PLAIN if dry_run else Mark.GOOD),),
        exit_code=Exit.PARTLY if tally.bad else Exit.DONE,
        warnings=tuple(shown),
    )
