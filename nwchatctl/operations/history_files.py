"""Exports messages as lines of JSON: to stdout, or to a file that can be resumed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from nwchatctl import private_files
from nwchatctl.chat.history_export import (
    ResumePoint,
    fields,
    resume_point,
    truncate_partial_line,
    whole_lines,
    write,
)
from nwchatctl.chat.history_filter import Span, span
from nwchatctl.errors import ChatError, Exit
from nwchatctl.operations.history_delete import complete_until_ms
from nwchatctl.output.progress import Progress
from nwchatctl.report import Line, Mark
from nwchatctl.timestamps import local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nwchat.model.wire import Message
    from nwchatctl.context import App


@dataclass(frozen=True)
class ExportedFile:
    """How many messages were written, in how many bytes, and the last id that the file had before, None for
    none. `until_ms` is where the export ends, epoch ms; `cut`: because later messages may not be complete
    yet."""

    messages: int
    bytes: int
    resumed_after: str | None
    until_ms: int
    cut: bool


@dataclass(frozen=True)
class ExportSpan:
    """What is exported: `span`, which ends at `until_ms`; `cut` as in ExportedFile."""

    span: Span
    until_ms: int
    cut: bool


def _export_span(app: App, since_ms: int | None, until_ms: int | None) -> ExportSpan:
    complete_ms = complete_until_ms(app)
    cut = until_ms is None or until_ms > complete_ms
    end_ms = complete_ms if until_ms is None else min(until_ms, complete_ms)
    return ExportSpan(span(since_ms, end_ms), end_ms, cut)


def export_lines(app: App, since_ms: int | None, until_ms: int | None) -> Iterator[dict[str, object]]:
    """The messages, oldest first, each as an object; none of the last minute, as `export_file`."""
    chosen = _export_span(app, since_ms, until_ms)
    if chosen.cut:
        app.say(Line(f"up to {local(chosen.until_ms)}: later messages may not be complete yet", Mark.DIM))
    return _lines(app, app.messages().oldest_first(chosen.span))


def _lines(app: App, pages: Iterator[tuple[Message, ...]]) -> Iterator[dict[str, object]]:
    count = 0
    # A bar between lines that scroll by would be neither.
    with Progress() if app.streams.out_terminal else app.bar("exported") as bar:
        for page in pages:
            try:
                for each in page:
                    yield fields(each)
                    # It is written when the next one is asked for.
                    count += 1
            finally:
                bar.update(count)


def export_file(
    app: App, path: Path, since_ms: int | None, until_ms: int | None, *, resume: bool
) -> ExportedFile:
    """Writes the messages to the file; with `resume`, those that it does not have. Whatever error ends it,
    the file has whole lines, and a note at the error says so.

    It ends LATEST_STORE_MS before AWS's clock: a later message may be stored yet, under an earlier id than
    the last one that was written."""
    messages, count = app.messages(), 0
    with _opened(path, resume) as file:
        last = truncate_partial_line(file) if resume else None
        start = file.tell()
        point = ResumePoint() if last is None else resume_point(file)
        file.seek(start)
        export = _export_span(app, since_ms, until_ms)
        chosen = replace(export.span, after=max(point.after, export.span.after or "") or None)
        with app.bar("exported") as bar:

            def written(number: int) -> None:
                nonlocal count
                count += number
                bar.update(count)

            try:
                write(point.missing(messages.oldest_first(chosen)), file, written)
                file.flush()
                os.fsync(file.fileno())
            except BaseException as error:
                known = _unwritten(path, error) if isinstance(error, OSError) else error
                known.add_note(_keep_whole_lines(file, path))
                raise known from None
        size = file.tell()
    return ExportedFile(count, size - start, last, export.until_ms, export.cut)


def _keep_whole_lines(file: BinaryIO, path: Path) -> str:
    """Leaves only whole lines in the file; the note about it."""
    try:
        file.flush()
        size, _ = whole_lines(file)
        file.truncate(size)
    except OSError:
        # --resume cuts a half line off as well.
        pass
    return f"{path} has whole lines up to here, and `history export --resume {path}` goes on"


@contextmanager
def _opened(path: Path, resume: bool) -> Iterator[BinaryIO]:
    """The file, to be written after what is in it. Raises ChatError, exit 2, where it cannot be."""
    try:
        # A chat is private: the file is the owner's alone, and no link of another user leads elsewhere.
        try:
            file = private_files.create(path)
        except FileExistsError:
            file = private_files.open_existing(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    with file:
        if not resume and os.fstat(file.fileno()).st_size:
            raise ChatError(
                f"{path} is there already",
                hint=f"give --resume to go on with it, or another name than {path}",
                code="file_exists",
                exit_code=Exit.USAGE,
            )
        if not resume:
            # An empty file that was there may be readable by others.
            os.fchmod(file.fileno(), private_files.OWNER_ONLY)
        yield file


def _unwritten(path: Path, error: OSError) -> ChatError:
    return ChatError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="name a file in a folder that is there and has room, or - for stdout",
        code="file_unwritable",
        exit_code=Exit.USAGE,
    )
