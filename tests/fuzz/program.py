"""The program within this process: its real `main`, with arguments, environment and streams of a test's own.

A process for each example would take 200 ms; this takes a few.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from unittest import mock

import hypothesis

from nwchatctl import __main__, cli
from nwchatctl.errors import Exit

CPU_SECONDS = 20.0
"""How long one run may compute. A run that waits for ever ends with the test's own timeout."""

CODES = frozenset(map(int, Exit)) - {Exit.INTERRUPTED, Exit.TERMINATED}

UNLIMITED = 1 << 62

_tree = cache(cli.tree)


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `lost` is whether stdout did not take all that was written to it."""

    argv: tuple[str, ...]
    code: int
    out: bytes
    err: str
    lost: bool


class _Ended(BaseException):
    """The process would have ended here."""


class _Stdout(io.RawIOBase):
    """A stdout that takes `room` bytes and then fails with `failure` (an errno)."""

    def __init__(self, room: int, failure: int) -> None:
        self.taken = bytearray()
        self.lost = False
        self.room, self._failure = room, failure

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int | None:
        if len(self.taken) >= self.room:
            # A reader that has gone has what it wanted.
            self.lost = self._failure != errno.EPIPE
            if self._failure == errno.EAGAIN:
                return None
            raise OSError(self._failure, os.strerror(self._failure))
        part = bytes(data[: self.room - len(self.taken)])
        self.taken += part
        return len(part)


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    stdin: bytes | None = b"",
    room: int = UNLIMITED,
    failure: int = errno.ENOSPC,
    encoding: str = "utf-8",
) -> Outcome:
    """Runs one command line in `folder`. With `stdin` None, stdin is closed. stdout takes `room` bytes."""
    raw, err = _Stdout(room, failure), io.BytesIO()
    out = io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding)
    streams: dict[str, Any] = {
        "argv": ["nwchatctl", *argv],
        "stdin": None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin), encoding=encoding),
        "stdout": out,
        "stderr": io.TextIOWrapper(err, encoding=encoding, errors="backslashreplace", write_through=True),
    }
    with mock.patch.multiple(sys, **streams), _world(environ, folder):
        code = _exit_code()
    # What is still in a buffer was not written: the process is over.
    outcome = Outcome(
        tuple(argv), code, bytes(raw.taken), err.getvalue().decode(encoding, "replace"), raw.lost
    )
    # From Python 3.13 on, a stream that cannot be flushed when it is collected is a warning.
    raw.room = UNLIMITED
    out.close()
    return outcome


def require_sound(outcome: Outcome) -> None:
    """What holds for every run, however wrong its input: an exit code of the list, an error for each failure,
    no fault of the program's own, and no success with lost output."""
    code, err = outcome.code, outcome.err
    assert code in CODES, (code, err)
    assert "Traceback" not in err or "--debug" in outcome.argv, err
    assert "something unexpected" not in err, err
    assert '"code": "internal"' not in err, err
    if code not in (Exit.DONE, Exit.DIFFERS):
        assert "error" in err or "Usage:" in err or "warning:" in err, (code, outcome.out, err)
    if outcome.lost:
        assert code != Exit.DONE, "the output was lost, and the exit code says that all was well"


def examples(number: int) -> hypothesis.settings:
    """`number` examples, the same in every run. FUZZ_EXAMPLES=100000 tries so many others instead."""
    wanted = os.environ.get("FUZZ_EXAMPLES")
    return hypothesis.settings(
        max_examples=int(wanted) if wanted else number,
        derandomize=not wanted,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def _exit_code() -> int:
    ended: list[int] = []

    def end(code: int) -> NoReturn:
        ended.append(code)
        raise _Ended

    try:
        with mock.patch.object(os, "_exit", end):
            __main__.main()
    except _Ended:
        return int(ended[0])


@contextmanager
def _world(environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The environment, the working directory, and a limit of the time that is spent computing."""
    before, threshold = Path.cwd(), gc.get_threshold()
    handler = signal.signal(signal.SIGVTALRM, _too_long)
    os.chdir(folder)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        with mock.patch.dict(os.environ, environ, clear=True), mock.patch.object(cli, "tree", _tree):
            yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        os.chdir(before)
        gc.set_threshold(*threshold)


def _too_long(number: int, frame: FrameType | None) -> NoReturn:
    raise AssertionError(f"a run computed for more than {CPU_SECONDS:g} s")
