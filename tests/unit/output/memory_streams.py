"""Streams in memory, which are terminals or not."""

from __future__ import annotations

import io
from typing import TextIO

from nwchatctl.output.streams import Streams


class Terminal(io.StringIO):
    """A StringIO that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def streams(
    *,
    out: TextIO | None = None,
    answers: str = "",
    terminal: bool = False,
    color: bool = False,
    asks: bool = False,
    width: int = 80,
) -> Streams:
    """Streams whose stdout and stderr are both a terminal or both not."""
    return Streams(
        stdin=io.StringIO(answers),
        out=out or io.StringIO(),
        err=Terminal() if terminal else io.StringIO(),
        in_terminal=asks,
        out_terminal=terminal,
        err_terminal=terminal or asks,
        out_color=color,
        err_color=color,
        width=width,
    )


def printed(made: Streams) -> tuple[str, str]:
    """What went to stdout and to stderr."""
    assert isinstance(made.out, io.StringIO)
    assert isinstance(made.err, io.StringIO)
    return made.out.getvalue(), made.err.getvalue()
