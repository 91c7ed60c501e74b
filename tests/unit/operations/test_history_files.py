"""Exports while messages are being stored: every message is in exactly one place of the file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.model.ids import LATEST_STORE_MS, first_ulid, ulid
from nwchat.model.wire import Message
from nwchatctl.chat.history_export import line
from nwchatctl.chat.history_filter import Span
from nwchatctl.operations import history_delete
from nwchatctl.operations.history_files import export_file, export_lines

NOW = 1_700_000_000_000
SECOND = 1000


@dataclass
class History:
    """A room whose messages become readable some time after their ids were made, and AWS's clock.

    A page takes `page_ms` to be read.
    """

    stored_at: dict[str, int] = field(default_factory=dict)
    now: int = NOW
    page_ms: int = 700

    def store(self, made_ms: int, delay_ms: int, number: int = 0) -> str:
        key = ulid(made_ms, number.to_bytes(10, "big"))
        self.stored_at[key] = made_ms + delay_ms
        return key

    def oldest_first(self, span: Span) -> Iterator[Sequence[Message]]:
        after = span.after or ""
        while True:
            page = sorted(
                key
                for key, stored_ms in self.stored_at.items()
                if stored_ms <= self.now and after < key and (span.before is None or key < span.before)
            )[:3]
            self.now += self.page_ms
            if not page:
                return
            yield [Message(key, "text", "u", "1", NOW) for key in page]
            after = page[-1]

    def app(self) -> Any:
        bar = SimpleNamespace(update=lambda count: None)
        return SimpleNamespace(
            messages=lambda: self,
            now_ms=lambda: self.now,
            bar=lambda label: nullcontext(bar),
            say=self.said.append,
            streams=SimpleNamespace(out_terminal=False),
        )

    said: list[Any] = field(default_factory=list)

    def export(self, path: Path) -> None:
        self.exported = export_file(self.app(), path, None, None, resume=path.exists())


def ids_in(path: Path) -> list[str]:
    return [json.loads(each)["id"] for each in path.read_text().splitlines()]


made = st.tuples(st.integers(0, 200 * SECOND), st.integers(0, LATEST_STORE_MS))
"""When an id is made, in ms after NOW, and how much later its message is readable."""


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(made, max_size=25),
    st.lists(st.tuples(st.integers(0, 60 * SECOND), st.integers(0, 400)), max_size=6),
    st.booleans(),
)
def test_every_message_is_in_one_place_of_the_file(
    messages: list[tuple[int, int]], exports: list[tuple[int, int]], earlier_release: bool
) -> None:
    """Each export begins some time after the one before, and a kill cuts some bytes off the end of the file.

    An earlier release exported up to its own time, and the file is continued.
    """
    history = History()
    for number, (after_ms, delay_ms) in enumerate(messages):
        history.store(NOW + after_ms, delay_ms, number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.jsonl"
        if earlier_release:
            history.now += 90 * SECOND
            found = [each for page in history.oldest_first(Span()) for each in page]
            path.write_bytes(b"".join(map(line, found)))
        for wait_ms, cut in exports:
            history.now += wait_ms
            before = path.stat().st_size if path.exists() else 0
            history.export(path)
            with path.open("r+b") as file:
                file.truncate(max(path.stat().st_size - cut, before))
        history.now = max([*history.stored_at.values(), history.now]) + LATEST_STORE_MS + SECOND
        history.export(path)
        written = ids_in(path)
        assert sorted(written) == sorted(history.stored_at)
        if not earlier_release:
            assert written == sorted(written)


def test_an_export_ends_60_seconds_before_the_clock_of_aws(tmp_path: Path) -> None:
    history = History()
    old = history.store(NOW - LATEST_STORE_MS - 1, 0)
    history.store(NOW - LATEST_STORE_MS, 0)
    path = tmp_path / "chat.jsonl"
    history.export(path)
    assert ids_in(path) == [old]
    assert (history.exported.messages, history.exported.cut) == (1, True)
    assert history.exported.until_ms == NOW - LATEST_STORE_MS


@pytest.mark.parametrize(("until_ms", "cut"), [(None, True), (NOW, True), (NOW - LATEST_STORE_MS, False)])
def test_an_export_says_that_the_last_minute_is_missing(until_ms: int | None, cut: bool) -> None:
    history = History()
    history.store(NOW - LATEST_STORE_MS, 0)
    assert list(export_lines(history.app(), None, until_ms)) == []
    assert len(history.said) == cut


def test_an_overlap_is_longer_than_a_block_of_the_file(tmp_path: Path) -> None:
    """Files of earlier releases end at their own time, so messages before their last line are missing."""
    history = History()
    path = tmp_path / "chat.jsonl"
    every = [
        Message(ulid(NOW + 10 * number, bytes(10)), "x" * 500, "u", "1", NOW) for number in range(12_000)
    ]
    late = every.pop(-5000)
    path.write_bytes(b"".join(map(line, every)))
    for each in (*every, late):
        history.stored_at[each.id] = NOW
    history.now, history.page_ms = NOW + 600 * SECOND, 0
    history.export(path)
    assert ids_in(path) == [*(each.id for each in every), late.id]


@dataclass
class Old:
    """What `trim` asks the messages table."""

    oldest: str | None = None
    limits: list[str] = field(default_factory=list)

    def oldest_of_newest(self, keep: int) -> str | None:
        return self.oldest

    def count(self, limit: str) -> int:
        self.limits.append(limit)
        return 1


COMPLETE = first_ulid(NOW - LATEST_STORE_MS)
EARLIER, LATER = first_ulid(NOW - LATEST_STORE_MS - 1), first_ulid(NOW - 1)


@pytest.mark.parametrize(
    ("keep", "before_ms", "oldest", "limit", "cut"),
    [
        (0, None, None, COMPLETE, True),
        (5, None, LATER, COMPLETE, True),
        (5, None, EARLIER, EARLIER, False),
        (5, None, None, "", False),
        (None, NOW, None, COMPLETE, True),
        (None, NOW - LATEST_STORE_MS - 1, None, EARLIER, False),
    ],
)
def test_trim_keeps_the_messages_of_the_last_minute(
    keep: int | None,
    before_ms: int | None,
    oldest: str | None,
    limit: str,
    cut: bool,
) -> None:
    table = Old(oldest)
    app: Any = SimpleNamespace(messages=lambda: table, now_ms=lambda: NOW)
    old = history_delete.find_old_messages(app, keep, before_ms)
    assert (old.limit, old.cut) == (limit, cut)
    assert table.limits == ([limit] if limit else [])
