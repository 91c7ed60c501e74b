"""Batches, what is stored of them, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from nwchat.model.ids import ulid
from nwchat.model.limits import Limits
from nwchat.model.wire import Message
from nwchatctl.chat.history_import import FileMessage, InvalidLine, ReadResult
from nwchatctl.chat.history_store import (
    MAX_REASONS,
    ImportCounts,
    Importer,
    ImportRules,
    KnownMessages,
)

NOW = 1_700_000_000_000
DAY = 86_400_000


class Table:
    """A table in memory, which remembers each batch of writes."""

    def __init__(self, *messages: Message, deleted: Iterable[Message] = ()) -> None:
        self.messages = {each.id: each for each in messages}
        self.deleted = {each.id for each in deleted}
        self.batches: list[list[tuple[str, int]]] = []
        self.puts_left = 1000

    def known(self, keys: Sequence[str]) -> KnownMessages:
        assert len(keys) == len(set(keys)) <= 25
        found = {key: self.messages[key] for key in keys if key in self.messages}
        return KnownMessages(found, frozenset(self.deleted & set(keys)))

    def put(self, messages: Iterable[tuple[Message, int]]) -> None:
        batch = list(messages)
        if self.puts_left == 0:
            raise TimeoutError
        self.puts_left -= 1
        self.batches.append([(each.id, until) for each, until in batch])
        self.messages |= {each.id: each for each, _ in batch}

    def restore(self, keys: Sequence[str]) -> None:
        self.deleted -= set(keys)


def imported(
    table: Table, source: Iterable[ReadResult | Message], *, replacing: bool = False
) -> ImportCounts:
    """The counts of an import; 90 days are kept."""
    counts = ImportCounts()
    results = (FileMessage(each, 7) if isinstance(each, Message) else each for each in source)
    rules = ImportRules(Limits(max_message_chars=50), 90, replacing)
    Importer(table, rules, counts, lambda: NOW).store(results, lambda count: None)
    return counts


def made(number: int, date: int = NOW, text: str = "x") -> Message:
    return Message(ulid(NOW + number, bytes(10)), text, "u", "1", date)


def test_batches_of_25_with_their_expiry() -> None:
    table = Table()
    counts = imported(table, [made(number) for number in range(60)])
    assert [len(each) for each in table.batches] == [25, 25, 10]
    assert table.batches[0][0] == (made(0).id, NOW // 1000 + 90 * 86_400)
    assert counts == ImportCounts(imported=60)


def test_the_expired_and_the_bad_are_counted() -> None:
    table = Table()
    source: list[ReadResult | Message] = [
        made(1, NOW - 90 * DAY),
        InvalidLine(2, "x"),
        made(3, NOW - 90 * DAY + 1000),
        InvalidLine(4, "y"),
    ]
    counts = imported(table, source)
    assert table.batches == [[(made(3).id, NOW // 1000 + 1)]]
    assert counts == ImportCounts(1, 1, 2, [InvalidLine(2, "x"), InvalidLine(4, "y")])
    assert counts.read == 4


def test_second_import_stores_nothing() -> None:
    table = Table()
    source = [made(number) for number in range(30)]
    imported(table, source)
    before = list(table.batches)
    assert imported(table, source) == ImportCounts(already=30)
    assert imported(table, source, replacing=True) == ImportCounts(already=30)
    assert table.batches == before
    assert imported(table, [*source, made(31), made(31)]) == ImportCounts(imported=1, already=31)


@pytest.mark.parametrize(
    "other",
    [{"message": "y"}, {"uname": "v"}, {"sender_id": "2"}, {"date": NOW - 1}, {"type": "announcement"}],
)
def test_stored_message_is_replaced_on_request_alone(other: dict[str, object]) -> None:
    stored, edited = made(1), replace(made(1), **other)  # type: ignore[arg-type]
    table = Table(stored)
    counts = imported(table, [edited, made(2)])
    assert counts == ImportCounts(imported=1, different=1, different_ids=[stored.id])
    assert table.messages[stored.id] == stored
    assert imported(table, [edited], replacing=True) == ImportCounts(replaced=1)
    assert table.messages[stored.id] == edited


@pytest.mark.parametrize("between", [0, 40])
def test_two_texts_under_one_id_in_a_file(between: int) -> None:
    source = [made(0, text="first"), *(made(each) for each in range(1, between)), made(0, text="second")]
    table = Table()
    counts = imported(table, source)
    assert (counts.different_ids, table.messages[made(0).id].message) == ([made(0).id], "first")
    imported(table, source, replacing=True)
    assert table.messages[made(0).id].message == "second"


def test_deleted_messages_are_restored_on_request_alone() -> None:
    table = Table(deleted=[made(1)])
    assert imported(table, [made(1), made(2)]) == ImportCounts(imported=1, deleted=1)
    assert list(table.messages) == [made(2).id]
    assert imported(table, [made(1), made(2)], replacing=True) == ImportCounts(imported=1, already=1)
    assert imported(table, [made(1)]) == ImportCounts(already=1)


def test_deletion_that_was_interrupted_holds() -> None:
    table = Table(made(1), deleted=[made(1)])
    assert imported(table, [made(1)]) == ImportCounts(deleted=1)
    assert imported(table, [made(1)], replacing=True) == ImportCounts(imported=1)
    assert table.deleted == set()


def test_texts_and_names_are_cleaned_as_by_the_chat() -> None:
    hostile = Message(made(1).id, " a\x1b[2J\u202e\ue000ü ", "a\u202eb" * 50, "x\ny", NOW)
    table = Table()
    assert imported(table, [hostile, made(2)]) == ImportCounts(imported=2, cleaned=1)
    stored = table.messages[hostile.id]
    assert (stored.message, stored.sender_id) == ("a[2J\ue000ü", "x y")
    assert stored.uname == ("ab" * 50)[:40]
    # The file again, and the export of what is stored.
    assert imported(table, [hostile, stored]) == ImportCounts(already=2)


def test_what_was_stored_before_it_was_cleaned_is_already_there() -> None:
    hostile = Message(made(1).id, "a\x1b", "u", "1", NOW)
    table = Table(hostile)
    assert imported(table, [hostile]) == ImportCounts(already=1)
    assert imported(table, [hostile], replacing=True) == ImportCounts(replaced=1, cleaned=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x" * 51, "a message is at most 50 characters"), ("\u200b \x00", "the message is empty")],
)
def test_what_the_chat_refuses_is_bad(text: str, reason: str) -> None:
    table = Table()
    assert imported(table, [made(1, text=text)]) == ImportCounts(bad=1, reasons=[InvalidLine(7, reason)])
    assert table.messages == {}


def test_many_bad_lines_need_no_memory() -> None:
    counts = imported(Table(), (InvalidLine(number, "x") for number in range(5000)))
    assert counts.bad == 5000
    assert len(counts.reasons) == MAX_REASONS


def test_what_was_stored_before_a_failure_is_counted() -> None:
    table, counts = Table(), ImportCounts()
    table.puts_left = 1
    importer = Importer(table, ImportRules(Limits(), 90), counts, lambda: NOW)
    with pytest.raises(TimeoutError):
        importer.store((FileMessage(made(number)) for number in range(60)), lambda count: None)
    assert (counts.imported, counts.stored) == (25, 25)
