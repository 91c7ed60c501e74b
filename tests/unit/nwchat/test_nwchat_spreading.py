from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from nwchat.outcome import Delivered, Failed, Gone, Outcome, Refused
from nwchat.rows import Connection
from nwchat.spreading import YOUNG_MS, Counts, fan_out, unless_young


def people(*names: str) -> tuple[Connection, ...]:
    return tuple(Connection(name, connected_at=0) for name in names)


class FakePoster:
    """Remembers to whom it delivered, answers otherwise as told."""

    def __init__(self, **answers: Outcome | Exception) -> None:
        self.answers = answers
        self.delivered: list[str] = []

    def __call__(self, connection_id: str) -> Outcome:
        answer = self.answers.get(connection_id, Delivered())
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Delivered):
            self.delivered.append(connection_id)
        return answer


class FakeForget:
    def __init__(self, *, fails_for: str = "", absent: str = "") -> None:
        self.fails_for = fails_for
        self.absent = absent
        self.forgotten: list[str] = []

    def __call__(self, connection: Connection) -> bool:
        if connection.connection_id == self.fails_for:
            raise OSError("table away")
        self.forgotten.append(connection.connection_id)
        return connection.connection_id != self.absent


def test_everybody_on_every_page_is_posted_to() -> None:
    post = FakePoster()
    counts = fan_out([people("a", "b"), (), people("c")], post, FakeForget(), workers=2)
    assert sorted(post.delivered) == ["a", "b", "c"]
    assert counts == Counts(recipients=3, delivered=3)


def test_one_recipients_failure_is_nobody_elses() -> None:
    post = FakePoster(
        a=Gone(),
        b=Refused(403, "403 Forbidden"),
        c=Failed("429 slow down", retries=4),
        d=RuntimeError("bug"),
        e=Gone(),
        g=Delivered(retries=1),
        h=Refused(403, "403 Forbidden"),
    )
    forget = FakeForget(fails_for="e")
    counts = fan_out([people(*"abcd"), people(*"efgh")], post, forget, workers=3)
    assert sorted(post.delivered) == ["f", "g"]
    assert forget.forgotten == ["a"]
    assert set(counts.reasons) == {
        ("403 Forbidden", 2),
        ("429 slow down", 1),
        ("RuntimeError", 1),
        ("not forgotten: OSError", 1),
    }
    assert counts == Counts(
        recipients=8,
        delivered=2,
        gone=2,
        forgotten=1,
        refused=2,
        failed=2,
        retries=5,
        reasons=counts.reasons,
    )


def test_a_row_that_was_not_deleted_is_not_counted_as_forgotten() -> None:
    counts = fan_out([people("a", "b")], FakePoster(a=Gone(), b=Gone()), FakeForget(absent="b"), workers=1)
    assert (counts.gone, counts.forgotten) == (2, 1)


def test_skipped_and_first() -> None:
    post = FakePoster()
    counts = fan_out(
        [people("me", "skipped", "other")],
        post,
        FakeForget(),
        workers=1,
        first=people("me"),
        skip=frozenset({"skipped"}),
    )
    assert post.delivered == ["me", "other"]
    assert counts.recipients == 2


def test_posting_goes_on_while_the_next_page_is_read() -> None:
    posted = threading.Event()

    def post(connection_id: str) -> Outcome:
        posted.set()
        return Delivered()

    def pages() -> Iterator[tuple[Connection, ...]]:
        yield people("a")
        assert posted.wait(10), "the first page was not posted to before the second was asked for"
        yield people("b")

    assert fan_out(pages(), post, FakeForget(), workers=1).delivered == 2


def test_what_waits_is_bounded_by_the_workers() -> None:
    finished = 0
    lock = threading.Lock()
    most_ahead = 0

    def post(connection_id: str) -> Outcome:
        nonlocal finished
        with lock:
            finished += 1
        return Delivered()

    def page() -> Iterator[Connection]:
        nonlocal most_ahead
        for number in range(2000):
            with lock:
                most_ahead = max(most_ahead, number - finished)
            yield Connection(str(number))

    class Lazy(tuple[Connection, ...]):
        def __iter__(self) -> Iterator[Connection]:
            return page()

    assert fan_out([Lazy()], post, FakeForget(), workers=2).delivered == 2000
    assert most_ahead <= 2 * 4


def test_the_deadline_stops_it_and_is_told() -> None:
    ticks = iter(range(100))
    post = FakePoster()
    counts = fan_out(
        [people(*"abcdef")], post, FakeForget(), workers=1, deadline=3, clock=lambda: float(next(ticks))
    )
    assert sorted(post.delivered) == ["a", "b", "c"]
    assert counts == Counts(recipients=3, delivered=3, cut_short=True)


@pytest.mark.parametrize(
    ("error", "delivered"), [(OSError("table away"), ["a", "b", "c"]), (KeyboardInterrupt(), ["a"])]
)
def test_who_was_read_is_posted_to_but_after_an_interrupt(error: BaseException, delivered: list[str]) -> None:
    begun, raised = threading.Event(), threading.Event()
    got: list[str] = []

    def post(connection_id: str) -> Outcome:
        begun.set()
        # Holds the only worker until the others are queued and the reading has broken off.
        assert raised.wait(10)
        got.append(connection_id)
        return Delivered()

    def pages() -> Iterator[tuple[Connection, ...]]:
        yield people("a", "b", "c")
        assert begun.wait(10)
        threading.Timer(0.3, raised.set).start()
        raise error

    with pytest.raises(type(error)):
        fan_out(pages(), post, FakeForget(), workers=1)
    assert got == delivered


def test_progress_ends_with_the_whole() -> None:
    seen: list[Counts] = []
    counts = fan_out([people(*"abcdefgh")], FakePoster(), FakeForget(), workers=1, progress=seen.append)
    assert seen[-1] == counts
    assert [each.recipients for each in seen] == sorted(each.recipients for each in seen)


def test_reasons_do_not_grow_with_the_recipients() -> None:
    def post(connection_id: str) -> Outcome:
        return Failed(f"reason {connection_id}")

    counts = fan_out([people(*map(str, range(100)))], post, FakeForget(), workers=2)
    assert counts.failed == 100
    assert len(counts.reasons) == 10


@pytest.mark.parametrize(
    ("connected_at", "forgotten"),
    [(None, True), (0, True), (100_000 - YOUNG_MS, True), (100_001 - YOUNG_MS, False), (200_000, False)],
)
def test_the_young_are_spared(connected_at: int | None, forgotten: bool) -> None:
    asked: list[tuple[str, int | None]] = []

    def forget(connection_id: str, since: int | None) -> bool:
        asked.append((connection_id, since))
        return True

    assert unless_young(forget, 100_000)(Connection("a", connected_at)) is forgotten
    assert asked == ([("a", connected_at)] if forgotten else [])
