"""`history export`: the messages as lines of JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nwchatctl.commands.options import JsonOption, SinceOption, UntilOption, examples, when_ms
from nwchatctl.errors import ChatError, Exit, usage_error
from nwchatctl.output.progress import Progress
from nwchatctl.report import Item, Line, Mark, Report, Stream

if TYPE_CHECKING:
    from nwchat.model.wire import Message
    from nwchatctl.chat.history_filter import Span
    from nwchatctl.context import App

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

    Oldest first, each as `history tail --json` prints it. A file that is there is not written over; --resume
    goes on with it, after Ctrl-C or a day later.
    """
    from nwchatctl.chat import history_filter

    app: App = ctx.obj
    app.require_config()
    now_ms = app.now_ms()
    span = history_filter.span(when_ms(since, now_ms), when_ms(until, now_ms))
    if file != "-":
        return _to_file(app, Path(file), span, resume)
    if resume:
        raise usage_error("--resume goes on with a file, and stdout is none", "name the file instead of -")
    return Stream(_items(app, app.messages().oldest_first(span)), json=True)


def _items(app: App, pages: Iterator[tuple[Message, ...]]) -> Iterator[Item]:
    from nwchatctl.chat.history_export import fields

    count = 0
    # A bar between lines that scroll by would be neither.
    with Progress() if app.streams.out_terminal else app.bar("exported") as bar:
        for page in pages:
            for each in page:
                yield Item(fields(each), ())
            count += len(page)
            bar.update(count)


def _to_file(app: App, path: Path, span: Span, resume: bool) -> Report:
    from nwchatctl.chat import history_export

    began = time.monotonic()
    count = 0
    with _opened(path, resume) as file:
        behind = history_export.truncate_partial_line(file) if resume else None
        start = file.tell()
        if behind is not None:
            span = replace(span, after=max(behind, span.after or ""))
        with app.bar("exported") as bar:

            def written(messages: int) -> None:
                nonlocal count
                count += messages
                bar.update(count)

            try:
                history_export.write(app.messages().oldest_first(span), file, written)
                _flush(file)
            except BaseException as error:
                known = _unwritten(path, error) if isinstance(error, OSError) else error
                known.add_note(_kept(file, path))
                raise known from None
        size = file.tell()
    return Report(
        data={
            "file": str(path),
            "messages": count,
            "bytes": size - start,
            "resumed_after": behind,
            "duration_seconds": round(time.monotonic() - began, 3),
        },
        body=(Line(f"{count} messages {'added' if resume else 'written'} to {path}", Mark.GOOD),),
    )


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _kept(file: BinaryIO, path: Path) -> str:
    """Leaves whole lines in the file; what to say of it."""
    from nwchatctl.chat import history_export

    try:
        file.flush()
        size, _ = history_export.whole_lines(file)
        file.truncate(size)
    except OSError:
        # --resume cuts a half line off as well.
        pass
    return f"{path} has whole lines up to here, and `history export --resume {path}` goes on"


@contextmanager
def _opened(path: Path, resume: bool) -> Iterator[BinaryIO]:
    """The file, to be written behind what is in it. Raises ChatError, exit 2, for one that cannot be."""
    try:
        if not resume and path.is_file() and path.stat().st_size:
            raise ChatError(
                f"{path} is there already",
                hint=f"give --resume to go on with it, or another name than {path}",
                code="file_exists",
                exit_code=Exit.USAGE,
            )
        # For the owner alone: a chat is nobody else's business.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise _unwritten(path, error) from error
    with file:
        yield file


def _unwritten(path: Path, error: OSError) -> ChatError:
    return ChatError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="name a file in a folder that is there and has room, or - for stdout",
        code="file_unwritable",
        exit_code=Exit.USAGE,
    )
