"""How far a command is, on stderr: bars and spinners on a terminal, a line a step elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import untrusted
from nwchatctl.report import Mark

Clock = Callable[[], float]
"""Seconds, monotonic."""


class Progress:
    """The silent one, and what all of them can do. A context manager; used by one thread, but for `note`."""

    is_open = True
    """Whether its block has not ended yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_open = False
        self.close()

    def close(self) -> None:
        """Leaves the terminal as it was; safe to repeat."""

    def started(self, kind: str, name: str) -> None:
        """Work on this thing has begun."""

    def ended(self, kind: str, name: str, text: str, *, ok: bool = True) -> None:
        """It has ended, `text` says how."""

    def note(self, text: str) -> None:
        """Something about the work as a whole, or what it waits for."""

    def update(self, count: int, text: str = "") -> None:
        """So many are done by now of what is counted; `text` says more about them."""


class PlainProgress(Progress):
    """A line on stderr for each step that ended, and one for the count, unless it is 0, when all is over."""

    def __init__(self, streams: Streams, label: str = "", clock: Clock = time.monotonic) -> None:
        self._streams = streams
        self._label = label
        self._clock = clock
        self._began = clock()
        self._steps: dict[tuple[str, str], float] = {}
        self._count = 0
        self._closed = False

    def started(self, kind: str, name: str) -> None:
        self._steps[kind, name] = self._clock()

    def ended(self, kind: str, name: str, text: str, *, ok: bool = True) -> None:
        now = self._clock()
        took = now - self._steps.pop((kind, name), now)
        self._line(step_line(self._streams, kind, name, text, ok, took))

    def note(self, text: str) -> None:
        self._line(untrusted(text))

    def update(self, count: int, text: str = "") -> None:
        self._count = count

    def close(self) -> None:
        if self._label and self._count and not self._closed:
            self._line(f"{untrusted(self._label)}: {self._count} in {self._clock() - self._began:.1f} s")
        self._closed = True

    def _line(self, text: str) -> None:
        self._streams.write_error(f"{text}\n")


def step_line(streams: Streams, kind: str, name: str, text: str, ok: bool, took: float) -> str:
    """What is printed of a step that has ended."""
    result = streams.styled_error(untrusted(text), Mark.GOOD if ok else Mark.BAD)
    return f"{untrusted(kind)} {untrusted(name)} {result} ({took:.1f} s)"
