"""When a connection ends because it is idle or too old, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.socket_timer import SocketTimer


class Timer:
    """One call of `call_later`."""

    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Connection:
    """A connection with its timer; `ended_at` is when it was ended."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []
        self.ended_at: list[float] = []
        self.timer = SocketTimer(
            lambda: self.ended_at.append(self.now - 1000), clock=lambda: self.now, call_later=self._call_later
        )
        self.timer.start()

    def _call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        assert seconds > 0
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def message_at(self, second: float) -> None:
        self.run_until(second)
        self.timer.record_message()

    def run_until(self, second: float) -> None:
        while due := [each for each in self.timers if not each.cancelled and each.due <= 1000 + second]:
            timer = min(due, key=lambda each: each.due)
            timer.cancelled, self.now = True, timer.due
            timer.call()
        self.now = 1000.0 + second


@pytest.fixture(autouse=True)
def _aws_values() -> Iterator[None]:
    yield
    limits.set_current(RuleValues())


def test_an_idle_connection_ends_after_ten_minutes() -> None:
    connection = Connection()
    connection.run_until(599)
    assert connection.ended_at == []
    connection.run_until(5000)
    assert connection.ended_at == [600]


def test_each_message_starts_the_ten_minutes_again() -> None:
    connection = Connection()
    connection.message_at(500)
    connection.message_at(1000)
    connection.run_until(5000)
    assert connection.ended_at == [1600]


def test_an_active_connection_ends_after_two_hours() -> None:
    connection = Connection()
    for second in range(0, 7200, 60):
        connection.message_at(second)
    connection.run_until(10_000)
    assert connection.ended_at == [7200]


def test_messages_start_no_timers() -> None:
    connection = Connection()
    for second in range(590):
        connection.message_at(second)
    assert len(connection.timers) == 1
    connection.run_until(1189)
    assert (len(connection.timers), connection.ended_at) == (2, [1189])


def test_a_closed_connection_has_no_timer() -> None:
    connection = Connection()
    connection.timer.cancel()
    connection.timer.cancel()
    assert [each.cancelled for each in connection.timers] == [True]
    connection.run_until(10_000)
    assert connection.ended_at == []


@pytest.mark.parametrize(
    ("values", "ended_at"),
    [
        ({"idle_timeout": 3.0}, [3.0]),
        ({"idle_timeout": None}, [7200.0]),
        ({"idle_timeout": None, "connection_lifetime": 5.0}, [5.0]),
        ({"idle_timeout": None, "connection_lifetime": None}, []),
    ],
)
def test_the_values_are_those_of_the_rules(values: dict[str, float | None], ended_at: list[float]) -> None:
    limits.set_current(RuleValues(chosen=values))
    connection = Connection()
    connection.run_until(10_000)
    assert connection.ended_at == ended_at
