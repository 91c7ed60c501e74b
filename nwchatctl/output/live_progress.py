"""Progress on a terminal: bars and spinners, drawn by rich."""

from __future__ import annotations

import time

from rich import progress
from rich.console import Console
from rich.text import Text

from nwchatctl.output.progress import Clock, Progress, step_line
from nwchatctl.output.streams import Streams
from nwchatctl.output.untrusted import untrusted


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
        self._rich = _rich_progress(streams, clock, bool(label), refresh)
        self._steps: dict[tuple[str, str], tuple[progress.TaskID, float]] = {}
        self._label, self._total = untrusted(label), total
        self._bar = self._rich.add_task(self._label, total=total) if label else None
        self._rich.start()

    def started(self, kind: str, name: str) -> None:
        task = self._rich.add_task(f"{untrusted(kind)} {untrusted(name)}", total=None)
        self._steps[kind, name] = (task, self._clock())

    def ended(self, kind: str, name: str, text: str, *, ok: bool = True) -> None:
        task, began = self._steps.pop((kind, name), (None, self._clock()))
        line = step_line(self._streams, kind, name, text, ok, self._clock() - began)
        # rich draws the spinners from a thread of its own, and would now and then count its lines before
        # this one is written: then one line is overwritten, and another left standing.
        with self._rich.live._lock:
            if task is not None:
                self._rich.remove_task(task)
            self._rich.console.print(Text.from_ansi(line), soft_wrap=True)

    def note(self, text: str) -> None:
        with self._rich.live._lock:
            self._rich.console.print(Text(untrusted(text)), soft_wrap=True)

    def update(self, count: int, text: str = "") -> None:
        if self._bar is None:
            return
        description = f"{self._label}: {untrusted(text)}" if text else self._label
        self._rich.update(self._bar, completed=count, description=description)
        if self._total is not None and count > self._total:
            # It was an estimate.
            self._total = None
            self._rich.tasks[0].total = None

    def draw(self) -> None:
        """Shows the present state now, rather than at the next of ten times a second."""
        self._rich.refresh()

    def close(self) -> None:
        self._rich.stop()


def _rich_progress(streams: Streams, clock: Clock, bar: bool, refresh: bool) -> progress.Progress:
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
    name = progress.TextColumn("{task.description}", markup=False)
    columns: tuple[progress.ProgressColumn, ...] = (
        progress.SpinnerColumn(),
        name,
        progress.TimeElapsedColumn(),
    )
    if bar:
        time_left = progress.TimeRemainingColumn(compact=True)
        columns = (name, progress.BarColumn(), progress.MofNCompleteColumn(), _Rate(), time_left)
    return progress.Progress(*columns, console=console, get_time=clock, transient=True, auto_refresh=refresh)


class _Rate(progress.ProgressColumn):
    """How many are done in a second."""

    def render(self, task: progress.Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")
