"""How far a command is, on stderr: bars and spinners on a terminal, a line a step elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import untrusted
from nwchatctl.report import Mark

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

Clock = Callable[[], float]
"""Seconds, monotonic."""


class Progress:
    """The silent one, and what all of them can do. A context manager; used by one thread."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the terminal as it was; safe to repeat."""

    def started(self, kind: str, name: str) -> None:
        """Work on this thing has begun."""

    def ended(self, kind: str, name: str, text: str, *, ok: bool = True) -> None:
        """It has ended, `text` says how."""

    def update(self, count: int, text: str = "") -> None:
        """So many are done by now of what is counted; `text` says more about them."""


class PlainProgress(Progress):
    """A line on stderr for each step that ended, and one for the count when all is over."""

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
        self._line(_step(self._streams, kind, name, text, ok, took))

    def update(self, count: int, text: str = "") -> None:
        self._count = count

    def close(self) -> None:
        if self._label and not self._closed:
            self._line(f"{untrusted(self._label)}: {self._count} in {self._clock() - self._began:.1f} s")
        self._closed = True

    def _line(self, text: str) -> None:
        self._streams.write_error(f"{text}\n")


class LiveProgress(Progress):
    """Running steps with a spinner below those that ended, or a bar with count, rate and time left."""

    def __init__(
        self,
        streams: Streams,
        label: str = "",
        total: int | None = None,
        clock: Clock = time.monotonic,
        *,
        refresh: bool = True,
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._rich = _rich(streams, clock, bool(label), refresh)
        self._steps: dict[tuple[str, str], tuple[TaskID, float]] = {}
        self._label, self._total = untrusted(label), total
        self._bar = self._rich.add_task(self._label, total=total) if label else None
        self._rich.start()

    def started(self, kind: str, name: str) -> None:
        task = self._rich.add_task(f"{untrusted(kind)} {untrusted(name)}", total=None)
        self._steps[kind, name] = (task, self._clock())

    def ended(self, kind: str, name: str, text: str, *, ok: bool = True) -> None:
        from rich.text import Text

        task, began = self._steps.pop((kind, name), (None, self._clock()))
        line = _step(self._streams, kind, name, text, ok, self._clock() - began)
        # rich draws the spinners from a thread of its own, and would now and then count its lines before
        # this one is written: then one line is overwritten, and another left standing.
        with self._rich.live._lock:
            if task is not None:
                self._rich.remove_task(task)
            self._rich.console.print(Text.from_ansi(line), soft_wrap=True)

    def update(self, count: int, text: str = "") -> None:
        if self._bar is None:
            return
        said = f"{self._label}: {untrusted(text)}" if text else self._label
        self._rich.update(self._bar, completed=count, description=said)
        if self._total is not None and count > self._total:
            # It was an estimate.
            self._total = None
            self._rich.tasks[0].total = None

    def draw(self) -> None:
        """Shows the present state now, rather than at the next of ten times a second."""
        self._rich.refresh()

    def close(self) -> None:
        self._rich.stop()


def make_progress(
    streams: Streams, *, label: str = "", total: int | None = None, silent: bool = False, dumb: bool = False
) -> Progress:
    """What fits the stream: `silent` for -q and --json, `dumb` for a terminal that cannot move its cursor."""
    if silent:
        return Progress()
    if streams.err_terminal and not dumb:
        return LiveProgress(streams, label, total)
    return PlainProgress(streams, label)


def _step(streams: Streams, kind: str, name: str, text: str, ok: bool, took: float) -> str:
    said = streams.styled_error(untrusted(text), Mark.GOOD if ok else Mark.BAD)
    return f"{untrusted(kind)} {untrusted(name)} {said} ({took:.1f} s)"


def _rich(streams: Streams, clock: Clock, bar: bool, refresh: bool) -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    # rich looks the width up itself, so that it follows the window while the work goes on.
    console = Console(
        file=streams.err,
        color_system="standard" if streams.err_color else None,
        force_terminal=True,
        no_color=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    name = TextColumn("{task.description}", markup=False)
    columns: tuple[ProgressColumn, ...] = (SpinnerColumn(), name, TimeElapsedColumn())
    if bar:
        left = TimeRemainingColumn(compact=True)
        columns = (name, BarColumn(), MofNCompleteColumn(), _rate_column(), left)
    return Progress(*columns, console=console, get_time=clock, transient=True, auto_refresh=refresh)


def _rate_column() -> ProgressColumn:
    from rich import progress
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            return Text(f"{task.speed:.0f}/s" if task.speed else "")

    return Rate()
