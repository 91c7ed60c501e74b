from __future__ import annotations

import threading
import time

import pytest

from nwchatctl.wait_notices import NOTICE_INTERVAL, NOTICE_SECONDS, WaitNotices, announced, began, ended


class Said(list[str]):
    """What was said; `any` is set with the first of it."""

    def __init__(self) -> None:
        self.any = threading.Event()

    def __call__(self, text: str) -> None:
        self.append(text)
        self.any.set()


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_quick_calls_and_quick_failures_are_silent(clock: Clock) -> None:
    said = Said()
    notices = WaitNotices(said, watched=False)
    for _ in range(10):
        notices.began("call", "DescribeTable")
        notices.failed("call", "DescribeTable", "reset")
        clock.now += NOTICE_SECONDS - 0.1
        notices.ended("call", answered=True)
    assert said == []


def test_calls_that_wait_at_the_same_time_are_one_wait(clock: Clock) -> None:
    said = Said()
    notices = WaitNotices(said, watched=False)
    notices.began("silent", "CreateFunction")
    notices.failed("first", "GetRole", "AWS could not be reached: reset")
    clock.now += NOTICE_SECONDS
    notices.failed("first", "GetRole", "AWS could not be reached: reset")
    notices.failed("second", "GetApi", "AWS could not be reached: refused", since=0.0)
    assert said == ["AWS could not be reached: reset; waiting until this has passed"]
    notices.ended("first", answered=False)
    notices.ended("silent", answered=True)
    assert len(said) == 1
    notices.ended("second", answered=True)
    assert said[1:] == ["AWS answers again"]


def test_a_long_wait_is_said_again_every_minute_and_an_error_ends_it(clock: Clock) -> None:
    said = Said()
    notices = WaitNotices(said, watched=False)
    for clock.now in range(0, 200, 5):
        notices.failed("call", "GetApi", "AWS fails GetApi for now")
    assert len(said) == 1 + (195 - 5) // NOTICE_INTERVAL
    notices.ended("call", answered=False)
    assert set(said) == {"AWS fails GetApi for now; waiting until this has passed"}


def test_a_call_without_an_answer_is_announced_while_it_lasts() -> None:
    said = Said()
    with announced(said):
        began("call", "GetCallerIdentity", since=time.monotonic() - NOTICE_SECONDS)
        assert said.any.wait(60)
        ended("call", answered=True)
    assert said == ["AWS has not answered GetCallerIdentity for 3 s; waiting", "AWS answers again"]
    # Nobody listens any more.
    began("call", "GetCallerIdentity", since=0.0)
    ended("call", answered=True)
    assert len(said) == 2


def test_the_end_of_a_wait_is_said_after_its_notice(clock: Clock) -> None:
    """Though one thread is still saying the notice when the call of another is answered."""
    said: list[str] = []
    begun, finish = threading.Event(), threading.Event()

    def say(text: str) -> None:
        if not begun.is_set():
            begun.set()
            finish.wait(20.0)
        said.append(text)

    notices = WaitNotices(say, watched=False)
    notices.began("call", "GetApi")
    clock.now += NOTICE_SECONDS
    failing = threading.Thread(target=notices.failed, args=("call", "GetApi", "reset"))
    answered = threading.Thread(target=notices.ended, args=("call",), kwargs={"answered": True})
    failing.start()
    assert begun.wait(20.0)
    answered.start()
    answered.join(0.1)
    finish.set()
    failing.join()
    answered.join()
    assert said == ["reset; waiting until this has passed", "AWS answers again"]
