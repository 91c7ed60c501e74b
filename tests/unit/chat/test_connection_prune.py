"""A sweep that is stopped, and one whose reading fails, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from nwchat.delivery.scheduler import RequestScheduler
from nwchat.delivery.targets import RowDeletion
from nwchat.model.rows import Recipient
from nwchatctl.chat.connection_prune import PruneResult, prune
from nwchatctl.chat.connection_rows import RowAge
from tests.unit.chat.simulated_chat import Reading, Scheduled, Tape, World, asking, deleting


class Watched(Scheduled):
    """Knows whether rows are being deleted."""

    deleting = False

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        self.deleting = isinstance(scheduler.target, RowDeletion)
        super().run(scheduler, stop_reason)


def dead(*names: str) -> World:
    """A chat in which only rows are left."""
    world = World(names)
    for name in names:
        world.connect(name, 0)
        world.leave(name, silently=True)
    return world


def pages(world: World) -> Iterator[Sequence[Recipient]]:
    """One row at a time, and the next once that one was asked about."""
    for name, row in list(world.rows.items()):
        yield from ([Recipient(name, row, RowAge.OLD)], [], [])


def swept(world: World, source: Reading, tick: Callable[[Watched], str], hurry: float) -> PruneResult:
    """Each look at the clock is `hurry` seconds later: so a batch may be one row."""
    transport, seconds = Watched(world, Tape(()), ()), count(0.0, hurry)
    return prune(
        transport,
        asking("GET"),
        deleting(),
        source,
        clock=lambda: next(seconds),
        tick=lambda _: tick(transport),
    )


def test_rows_are_deleted_while_others_are_asked_about() -> None:
    """So a slow run that is killed has not been for nothing."""
    world = dead("a", "b", "c")
    left: list[int] = []

    def note(transport: Watched) -> str:
        if not transport.deleting:
            left.append(len(world.rows))
        return ""

    assert swept(world, Reading(pages(world)), note, 10.0).deleted == 3
    assert {3, 2, 1} <= set(left)


@pytest.mark.parametrize(("looks", "deleted", "left"), [(0, 0, 1), (1, 1, 0)])
def test_stopped_while_it_deletes_it_was_cut_short(looks: int, deleted: int, left: int) -> None:
    """Before the deletion of the first row is sent, and while its answer is awaited."""
    world = dead("a", "b", "c")
    before_that = iter([""] * looks)

    def stop(transport: Watched) -> str:
        return next(before_that, "interrupted") if transport.deleting else ""

    done = swept(world, Reading(pages(world)), stop, 10.0)
    assert (done.checked, done.gone, done.cut_short) == (1, 1, True)
    assert (done.deleted, done.left, len(world.rows)) == (deleted, left, 3 - deleted)


def test_told_to_stop_when_all_is_done_it_was_not_cut_short() -> None:
    world = dead("a")
    done = swept(world, Reading(pages(world)), lambda at: "" if world.rows else "interrupted", 0.0)
    assert (done.deleted, done.cut_short) == (1, False)


def test_what_was_read_is_dealt_with_when_reading_fails() -> None:
    world = dead("a", "b")

    def broken() -> Iterator[Sequence[Recipient]]:
        yield [next(pages(world))[0]]
        raise OSError("the table is away")

    with pytest.raises(OSError, match="the table is away"):
        swept(world, Reading(broken()), lambda _: "", 0.0)
    assert list(world.rows) == ["b"]
