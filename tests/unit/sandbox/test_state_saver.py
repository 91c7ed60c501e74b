from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from nwchatctl.sandbox import state_saver as module
from nwchatctl.sandbox.state_saver import StateSaver


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(module, "REST_SECONDS", 0.01)


class Disk:
    """Counts saves and says when one happened; `answers` are what the next ones return, True after them."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.saves = 0
        self.saved: asyncio.Event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def save(self) -> bool:
        self.saves += 1
        self._loop.call_soon_threadsafe(self.saved.set)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def next(self) -> None:
        await asyncio.wait_for(self.saved.wait(), 10)
        self.saved.clear()


def run(scenario: Callable[[], object]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_many_writes_are_one_save() -> None:
    async def scenario() -> None:
        disk = Disk()
        saver = StateSaver(disk.save)
        for _ in range(50):
            saver.touch()
        await disk.next()
        await saver.stop()
        assert disk.saves == 1

    run(scenario)


def test_a_write_during_a_save_is_saved_after_it() -> None:
    async def scenario() -> None:
        disk = Disk()
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def slow() -> bool:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(60)
            return disk.save()

        saver = StateSaver(slow)
        saver.touch()
        await begun.wait()
        saver.touch()
        go_on.set()
        await disk.next()
        await disk.next()
        await saver.stop()
        assert disk.saves == 2

    run(scenario)


def test_incomplete_save_is_repeated() -> None:
    async def scenario() -> None:
        disk = Disk(False)
        saver = StateSaver(disk.save)
        saver.touch()
        await disk.next()
        await disk.next()
        await saver.stop()
        assert disk.saves == 2

    run(scenario)


def test_a_failed_save_does_not_end_saving(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        disk = Disk(OSError("disk full"))
        saver = StateSaver(disk.save)
        saver.touch()
        await disk.next()
        while "could not be saved" not in caplog.text:
            await asyncio.sleep(0)
        saver.touch()
        await disk.next()
        await saver.stop()
        assert disk.saves == 2

    run(scenario)


def test_nothing_is_saved_after_stop() -> None:
    async def scenario() -> None:
        disk = Disk()
        saver = StateSaver(disk.save)
        saver.touch()
        await saver.stop()
        saver.touch()
        assert disk.saves == 0

    run(scenario)
