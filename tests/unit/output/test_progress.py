"""Progress: lines in a pipe, something live on a terminal, nothing when nobody wants it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

from nwchatctl.output.live_progress import LiveProgress
from nwchatctl.output.progress import PlainProgress, Progress
from nwchatctl.output.terminal import make_progress
from tests.unit.output.memory_streams import Terminal, printed, streams


def ticking() -> Callable[[], float]:
    """A clock that is half a second later at each look."""
    now = iter(each / 2 for each in range(10_000))
    return lambda: next(now)


def test_a_line_a_step_in_a_pipe() -> None:
    made = streams()
    with PlainProgress(made, clock=ticking()) as progress:
        progress.started("table", "a")
        progress.started("role", "b\x1b")
        progress.ended("role", "b\x1b", "created")
        progress.ended("table", "a", "failed", ok=False)
    assert printed(made) == ("", "role b\\x1b created (0.5 s)\ntable a failed (1.5 s)\n")


def test_note_is_a_line_of_its_own() -> None:
    made = streams()
    with PlainProgress(made) as progress:
        progress.note("waiting for\x1b AWS")
    assert printed(made) == ("", "waiting for\\x1b AWS\n")
    made = streams(terminal=True)
    with LiveProgress(made, refresh=False) as progress:
        progress.started("table", "a")
        progress.note("waiting for [red] AWS")
    assert "waiting for [red] AWS\n" in printed(made)[1].replace("\r\n", "\n")
    Progress().note("nothing")


def test_a_count_in_a_pipe_is_said_once() -> None:
    made = streams()
    with PlainProgress(made, "sent", clock=ticking()) as progress:
        progress.update(10)
        progress.update(25)
        assert printed(made) == ("", "")
    progress.close()
    assert printed(made) == ("", "sent: 25 in 0.5 s\n")


def test_no_count_is_printed_of_nothing() -> None:
    made = streams()
    with PlainProgress(made, "kicked", clock=ticking()) as progress:
        progress.update(0)
    assert printed(made) == ("", "")


def test_live_steps_leave_their_lines_and_the_cursor() -> None:
    made = streams(terminal=True)
    with LiveProgress(made, clock=ticking(), refresh=False) as progress:
        progress.started("table", "[red]a")
        progress.ended("table", "[red]a", "created")
    out, err = printed(made)
    assert out == ""
    assert "table [red]a created" in err
    assert err.index("\x1b[?25l") < err.rindex("\x1b[?25h")


class Watched(Terminal):
    """A terminal that notes of each write of `text` whether the thread that draws could do so meanwhile."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.draws: Callable[[], bool] = lambda: False
        self.drawn: list[bool] = []

    def write(self, text: str) -> int:
        if self.text in text:
            thread = threading.Thread(target=lambda: self.drawn.append(self.draws()))
            thread.start()
            thread.join()
        return super().write(text)


def test_spinners_are_not_drawn_in_the_middle_of_a_line() -> None:
    watched = Watched("a created")
    made = dataclasses.replace(streams(terminal=True), err=watched)
    with LiveProgress(made, clock=ticking(), refresh=False) as progress:
        lock = progress._rich.live._lock

        def draws() -> bool:
            free = lock.acquire(blocking=False)
            if free:
                lock.release()
            return free

        watched.draws = draws
        progress.started("table", "a")
        progress.ended("table", "a", "created")
    assert watched.drawn == [False]


def test_a_live_bar_has_count_and_total() -> None:
    made = streams(terminal=True)
    with LiveProgress(made, "sent", 200, clock=ticking(), refresh=False) as progress:
        assert isinstance(progress, LiveProgress)
        progress.update(50)
        progress.draw()
    assert "50/200" in printed(made)[1]


def test_which_one_is_made() -> None:
    terminal, pipe = streams(terminal=True), streams()
    assert type(make_progress(terminal, silent=True)) is Progress
    assert type(make_progress(pipe)) is PlainProgress
    assert type(make_progress(terminal, dumb=True)) is PlainProgress
    with make_progress(terminal) as live:
        assert type(live) is LiveProgress


def test_the_silent_one_says_nothing() -> None:
    with Progress() as progress:
        progress.started("table", "a")
        progress.update(3)
        progress.ended("table", "a", "created")
