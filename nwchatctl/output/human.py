"""Reports, streams, warnings and errors as a person reads them."""

from __future__ import annotations

from typing import assert_never

from nwchatctl.errors import ChatError
from nwchatctl.output import jsonlines
from nwchatctl.output.streams import Streams, paint
from nwchatctl.output.tables import Aligner, plain, print_table
from nwchatctl.output.untrusted import json_kept, tabs_kept, untrusted
from nwchatctl.report import Line, Mark, Report, Stream, TextTable


def print_report(
    report: Report, streams: Streams, *, json: bool = False, quiet: bool = False, verbose: bool = False
) -> None:
    """Prints all of a report. `quiet` leaves a success without a word, except for what was requested; `json`
    is printed all the same. `verbose` shortens nothing."""
    if json:
        for piece in jsonlines.pieces(report.data):
            streams.write(piece)
    else:
        for part in report.body:
            if _is_wanted(part, report, quiet=quiet):
                _print_part(part, streams, whole=verbose)
    streams.flush()
    if quiet and not report.exit_code:
        return
    for warning in report.warnings:
        print_warning(warning, streams)
    if report.error is not None:
        print_error(report.error, streams, json=json)
    if not json and not quiet:
        say(streams, *(Line(note, Mark.DIM) for note in report.notes))


def print_stream(stream: Stream, streams: Streams, *, json: bool = False) -> None:
    """Prints each item as it comes, and flushes it."""
    aligner = Aligner(streams.width)
    for item in stream.items:
        if json:
            text = jsonlines.line(item.data)
        elif streams.out_terminal:
            text = "".join(f"{line}\n" for line in aligner.lines(item.cells))
        else:
            text = plain(item.cells)
        streams.write(text)
        streams.flush()


def print_error(error: ChatError, streams: Streams, *, json: bool = False) -> None:
    """One `error:` line and one `hint:` line, or their JSON, on stderr."""
    if json:
        streams.write_error(jsonlines.error(error.code, error.message, error.hint))
        return
    label = streams.styled_error("error:", Mark.BAD)
    text = f"{label} {untrusted(error.message)}\n"
    if error.hint:
        text += f"{streams.styled_error('hint:', Mark.HEAD)} {untrusted(error.hint)}\n"
    streams.write_error(text)


def print_warning(text: str, streams: Streams) -> None:
    """One `warning:` line on stderr."""
    streams.write_error(f"{streams.styled_error('warning:', Mark.WARN)} {untrusted(text)}\n")


def say(streams: Streams, *lines: Line) -> None:
    """Lines for the person at the terminal, on stderr."""
    for line in lines:
        streams.write_error(paint(tabs_kept(line.text), line.mark, streams.err_color) + "\n")


def _is_wanted(part: Line | TextTable, report: Report, *, quiet: bool) -> bool:
    """Whether a part of the body is printed; with -q, not all of them are."""
    if not quiet or report.exit_code or report.is_requested:
        return True
    return isinstance(part, TextTable) and part.only_copy


def _print_part(part: Line | TextTable, streams: Streams, *, whole: bool) -> None:
    match part:
        case Line(text, mark, is_json):
            safe = json_kept(text) if is_json else tabs_kept(text)
            streams.write(streams.styled(safe, mark) + "\n")
        case TextTable():
            if print_table(part, streams, whole=whole) == 0 and part.empty and streams.err_terminal:
                say(streams, Line(part.empty, Mark.DIM))
        case _:
            assert_never(part)
