"""Colour and terminals, and a stdout that cannot be written."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from nwchatctl.errors import ChatError
from nwchatctl.output.streams import OutputClosed, open_streams, wants_color
from nwchatctl.report import Mark
from tests.unit.output.memory_streams import Terminal, streams


@pytest.mark.parametrize(
    ("terminal", "environ", "flag", "color"),
    [
        (True, {}, "auto", True),
        (False, {}, "auto", False),
        (True, {"TERM": "dumb"}, "auto", False),
        (True, {"NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": ""}, "auto", True),
        (False, {"FORCE_COLOR": "1"}, "auto", True),
        (False, {"FORCE_COLOR": "0"}, "auto", False),
        (False, {"FORCE_COLOR": ""}, "auto", False),
        (False, {"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
        (False, {"NO_COLOR": "1"}, "always", True),
        (True, {"FORCE_COLOR": "1"}, "never", False),
    ],
)
def test_when_to_colour(terminal: bool, environ: Mapping[str, str], flag: str, color: bool) -> None:
    assert wants_color(terminal, environ, flag) is color


def test_each_stream_is_judged_by_itself() -> None:
    made = open_streams(io.StringIO(), io.StringIO(), Terminal(), {"COLUMNS": "120"})
    assert (made.out_terminal, made.out_color) == (False, False)
    assert (made.err_terminal, made.err_color) == (True, True)
    assert (made.asks, made.width) == (False, 120)


def test_closed_stdout_loses_nothing_in_silence() -> None:
    made = open_streams(None, None, None, {})
    made.write("")
    made.flush()
    made.write_error("x")
    assert (made.width, made.asks) == (80, False)
    with pytest.raises(ChatError) as caught:
        made.write("x")
    assert caught.value.message == "the output cannot be written: stdout is closed"
    assert (caught.value.code, caught.value.exit_code) == ("output_failed", 1)


def test_waiting_ends_when_the_reader_of_a_pipe_has_gone() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        made = streams(out=out)
        made.wait(0.001)
        closing = threading.Timer(0.05, os.close, [reading])
        closing.start()
        began = time.monotonic()
        with pytest.raises(OutputClosed):
            made.wait(100)
        assert time.monotonic() - began < 20
        closing.join()


def test_waiting_for_a_file_only_waits(tmp_path: Path) -> None:
    began = time.monotonic()
    with (tmp_path / "out").open("w") as out:
        streams(out=out).wait(0.01)
    streams().wait(0.01)
    assert time.monotonic() - began >= 0.02


def test_an_encoding_that_lacks_a_letter_shows_its_number() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    made = open_streams(None, out, io.StringIO(), {})
    made.write("é→\n")
    made.flush()
    assert raw.getvalue() == b"\\xe9\\u2192\n"


def test_colours_only_where_they_are_wanted() -> None:
    assert streams(color=True).styled("x", Mark.GOOD) == "\x1b[32mx\x1b[0m"
    assert streams(color=True).styled("x", Mark.PLAIN) == "x"
    assert streams().styled("x", Mark.BAD) == "x"


class Broken(io.StringIO):
    """A stdout that raises."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


def test_closed_pipe_raises_output_closed() -> None:
    with pytest.raises(OutputClosed):
        streams(out=Broken(BrokenPipeError())).write("x")


def test_a_full_disk() -> None:
    with pytest.raises(ChatError) as caught:
        streams(out=Broken(OSError(28, "No space left on device"))).write("x")
    assert caught.value.message == "the output cannot be written: No space left on device"
    assert (caught.value.code, caught.value.exit_code) == ("output_failed", 1)
