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
from tests.unit.chat.simulated_chat import (
    Decisions,
    RecordingSource,
    SimulatedChat,
    SteppedTransport,
    deletion_target,
    request_target,
)


class ObservedTransport(SteppedTransport):
    """Knows whether rows are being deleted."""

    deletion_target = False

    def run(self, scheduler: RequestScheduler[Any], stop_reason: Callable[[], str] | None = None) -> None:
        self.deleting = isinstance(scheduler.target, RowDeletion)
        super().run(scheduler, stop_reason)


def chat_of_stale_rows(*names: str) -> SimulatedChat:
    """A chat in which only rows are left."""
    chat = SimulatedChat(names)
    for name in names:
        chat.connect(name, 0)
        chat.disconnect(name, silently=True)
    return chat


def pages(chat: SimulatedChat) -> Iterator[Sequence[Recipient]]:
    """One row at a time, and the next once that one was asked about."""
    for name, row in list(chat.rows.items()):
        yield from ([Recipient(name, row, RowAge.OLD)], [], [])


def run_prune(
    chat: SimulatedChat,
    source: RecordingSource,
    tick: Callable[[ObservedTransport], str],
    seconds_per_tick: float,
) -> PruneResult:
    """Each look at the clock is `step_seconds` seconds later: so a batch may be one row."""
    transport, seconds = ObservedTransport(chat, Decisions(()), ()), count(0.0, seconds_per_tick)
    return prune(
        transport,
        request_target("GET"),
        deletion_target(),
        source,
        clock=lambda: next(seconds),
        tick=lambda _: tick(transport),
    )


def test_rows_are_deleted_while_others_are_checked() -> None:
    """So a slow run that is killed has not been for nothing."""
    chat = chat_of_stale_rows("a", "b", "c")
    left: list[int] = []

    def note(transport: ObservedTransport) -> str:
        if not transport.deleting:
            left.append(len(chat.rows))
        return ""

    assert run_prune(chat, RecordingSource(pages(chat)), note, 10.0).deleted == 3
    assert {3, 2, 1} <= set(left)


@pytest.mark.parametrize(("looks", "deleted", "left"), [(0, 0, 1), (1, 1, 0)])
def test_prune_stopped_during_deletion_is_cut_short(looks: int, deleted: int, left: int) -> None:
    """Before the deletion of the first row is sent, and while its answer is awaited."""
    chat = chat_of_stale_rows("a", "b", "c")
    before_that = iter([""] * looks)

    def stop(transport: ObservedTransport) -> str:
        return next(before_that, "interrupted") if transport.deleting else ""

    done = run_prune(chat, RecordingSource(pages(chat)), stop, 10.0)
    assert (done.checked, done.gone, done.cut_short) == (1, 1, True)
    assert (done.deleted, done.left, len(chat.rows)) == (deleted, left, 3 - deleted)


def test_prune_stopped_after_its_end_is_not_cut_short() -> None:
    chat = chat_of_stale_rows("a")
    done = run_prune(chat, RecordingSource(pages(chat)), lambda at: "" if chat.rows else "interrupted", 0.0)
    assert (done.deleted, done.cut_short) == (1, False)


def test_rows_that_were_read_are_pruned_when_reading_fails() -> None:
    chat = chat_of_stale_rows("a", "b")

    def broken() -> Iterator[Sequence[Recipient]]:
        yield [next(pages(chat))[0]]
        raise OSError("the table is away")

    with pytest.raises(OSError, match="the table is away"):
        run_prune(chat, RecordingSource(broken()), lambda _: "", 0.0)
    assert list(chat.rows) == ["b"]
