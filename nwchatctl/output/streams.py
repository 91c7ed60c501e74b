"""stdin, stdout and stderr, and what may be written to each: colour, tables, questions."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from nwchatctl.report import Mark

_CODES = {
    "plain": "",
    "head": "1",
    "dim": "2",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "add": "32",
    "change": "33",
    "remove": "31",
}
"""SGR parameters by a mark's value; the eight colours that every terminal has, in its own theme."""

_DEFAULT_WIDTH = 80


_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What the system answers where a file, a disk or a closed descriptor takes no more."""


class OutputClosed(Exception):
    """The reader of stdout has read enough (`| head`)."""


class ClosedOutput(io.StringIO):
    """A stdout that the process was started without (`>&-`): no write to it is lost in silence."""

    def write(self, text: str, /) -> int:
        """Raises OSError, unless there is nothing to write."""
        if text:
            raise OSError(errno.EBADF, "stdout is closed")
        return 0


@dataclass(frozen=True, slots=True)
class Streams:
    """The three streams, and whether each is a terminal and takes colour. `width` is stdout's, in cells."""

    stdin: TextIO
    out: TextIO
    err: TextIO
    in_terminal: bool
    out_terminal: bool
    err_terminal: bool
    out_color: bool
    err_color: bool
    width: int

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer a question, which is shown on stderr."""
        return self.in_terminal and self.err_terminal

    def write(self, text: str) -> None:
        """Writes to stdout. Raises OutputClosed when its reader has gone, ChatError when it fails."""
        self._guarded(lambda: self.out.write(text))

    def flush(self) -> None:
        """Flushes stdout; raises as `write`."""
        self._guarded(self.out.flush)

    def wait(self, seconds: float) -> None:
        """Waits. Raises OutputClosed as soon as the reader of stdout has gone."""
        try:
            descriptor = self.out.fileno()
            is_pipe = stat.S_ISFIFO(mode := os.fstat(descriptor).st_mode) or stat.S_ISSOCK(mode)
        except (OSError, ValueError):
            is_pipe = False
        if not is_pipe:
            time.sleep(seconds)
            return
        poll = select.poll()
        # Linux always reports that the other end is closed; macOS does only if a hangup is asked for.
        poll.register(descriptor, select.POLLHUP)
        if poll.poll(seconds * 1000):
            raise OutputClosed

    def write_error(self, text: str) -> None:
        """Writes to stderr; that it cannot be written is nothing that could be said anywhere."""
        try:
            self.err.write(text)
            self.err.flush()
        except (OSError, ValueError):
            return

    def styled(self, text: str, mark: Mark) -> str:
        """`text` in the colour of `mark`, where stdout takes colour."""
        return paint(text, mark, self.out_color)

    def styled_error(self, text: str, mark: Mark) -> str:
        """`text` in the colour of `mark`, where stderr takes colour."""
        return paint(text, mark, self.err_color)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            raise output_error(error) from error


def output_error(error: OSError) -> Exception:
    """What a failed write to stdout means: OutputClosed or a ChatError; the error itself where it was no
    write."""
    if isinstance(error, BrokenPipeError):
        return OutputClosed()
    if isinstance(error, BlockingIOError):
        # Another program that shares stdout has made it non-blocking, and its reader is slow.
        return ChatError(
            "the output cannot be written: stdout does not wait for its reader",
            hint="send the output to a file, or through another pipe: | cat",
            code="output_failed",
        )
    if error.errno not in _UNWRITABLE or error.filename is not None:
        return error
    closed = error.errno == errno.EBADF
    return ChatError(
        f"the output cannot be written: {error.strerror}",
        hint="open stdout, or send it to a file: > FILE" if closed else "make room where stdout goes",
        code="output_failed",
    )


def paint(text: str, mark: Mark, color: bool) -> str:
    """`text` in the colour of `mark`."""
    code = _CODES[mark.value]
    return f"\x1b[{code}m{text}\x1b[0m" if color and code and text else text


def open_streams(
    stdin: TextIO | None,
    stdout: TextIO | None,
    stderr: TextIO | None,
    environ: Mapping[str, str],
    color: str = "auto",
) -> Streams:
    """The process's streams, None for one that is closed; `color` is auto, always or never."""
    out, err, source = stdout or ClosedOutput(), stderr or io.StringIO(), stdin or io.StringIO()
    for stream in (out, err):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of some other encoding shows an escape for what it lacks, rather than ending us. This
            # flushes what typer has written, which may fail: the next write says so.
            with suppress(OSError):
                stream.reconfigure(errors="backslashreplace")
    return Streams(
        stdin=source,
        out=out,
        err=err,
        in_terminal=_terminal(source),
        out_terminal=_terminal(out),
        err_terminal=_terminal(err),
        out_color=wants_color(_terminal(out), environ, color),
        err_color=wants_color(_terminal(err), environ, color),
        width=_width(out, environ),
    )


def wants_color(terminal: bool, environ: Mapping[str, str], color: str = "auto") -> bool:
    """The flag, then NO_COLOR, then FORCE_COLOR, then TERM=dumb, then whether it is a terminal."""
    if color != "auto":
        return color == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and environ.get("TERM") != "dumb"


def _terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def _width(out: TextIO, environ: Mapping[str, str]) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return min(int(columns), 1000)
    try:
        return os.get_terminal_size(out.fileno()).columns or _DEFAULT_WIDTH
    except (OSError, ValueError):
        return _DEFAULT_WIDTH
