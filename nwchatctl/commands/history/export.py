"""`history export`: the messages as lines of JSON."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwchatctl.commands.options import JsonOption, SinceOption, UntilOption, examples, when_ms
from nwchatctl.errors import usage_error
from nwchatctl.report import Item, Line, Mark, Report, Stream, counted
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from nwchatctl.context import App
    from nwchatctl.operations.history_files import ExportedFile

HELP = examples(
    ("all messages, into a file", "nwchatctl history export chat.jsonl"),
    ("what came since the last time, behind it", "nwchatctl history export --resume chat.jsonl"),
    ("yesterday's, for another program", "nwchatctl history export --since 2d --until 1d | jq -r .message"),
)


def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="Where to; - is stdout.")] = "-",
    since: SinceOption = None,
    until: UntilOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on behind the last whole line of a file that is there.")
    ] = False,
    json: JsonOption = False,
) -> Report | Stream:
    """Write the messages to a file, one JSON object a line.

    Oldest first, each as `history tail --json` prints it. Ends 60 s before now, by AWS's clock: until then, a
    message can still be stored with an earlier id. An existing file is not overwritten.
    --resume continues it, after Ctrl-C or a day later, and adds the messages that it does not have.
    """
    from nwchatctl.operations.history_files import export_file, export_lines

    app: App = ctx.obj
    app.require_config()
    now_ms, began = app.now_ms(), time.monotonic()
    since_ms, until_ms = when_ms(since, now_ms), when_ms(until, now_ms)
    if file != "-":
        exported = export_file(app, Path(file), since_ms, until_ms, resume=resume)
        return _report(Path(file), exported, began, resume=resume)
    if resume:
        raise usage_error("--resume goes on with a file, and stdout is none", "name the file instead of -")
    return Stream((Item(each, ()) for each in export_lines(app, since_ms, until_ms)), json=True)


def _report(path: Path, exported: ExportedFile, began: float, *, resume: bool) -> Report:
    text = f"{counted(exported.messages, 'message')} {'added' if resume else 'written'} to {path}"
    if exported.cut:
        text += f", up to {local(exported.until_ms)}: later ones may not be complete yet"
    return Report(
        data={
            "file": str(path),
            "messages": exported.messages,
            "bytes": exported.bytes,
            "resumed_after": exported.resumed_after,
            "until": exported.until_ms,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(text, Mark.GOOD),),
    )
