"""Stores the messages of a file in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from nwchatctl.chat.history_import import read
from nwchatctl.chat.history_store import ImportCounts, store
from nwchatctl.operations.deployed_api import require_api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nwchat.model.wire import Message
    from nwchatctl.context import App

_AHEAD_MS = 600_000
"""How far the clock of the machine that made the file may be ahead of ours."""


def import_messages(app: App, source: BinaryIO, *, dry_run: bool) -> ImportCounts:
    """Stores what is a message in `source`, but in a dry run; what became of its lines. The error of a
    failure notes how many are stored by then."""
    counts = ImportCounts()
    if dry_run:
        require_api(app)
    put = _store_nothing if dry_run else app.messages().put
    with app.bar("read") as bar:
        try:
            store(
                read(source, app.now_ms() + _AHEAD_MS),
                put,
                counts,
                retention_days=app.settings.tables.retention_days,
                now_ms=app.now_ms,
                progress=bar.update,
            )
        except BaseException as error:
            if counts.imported and not dry_run:
                error.add_note(f"{counts.imported} messages are stored; the same command does the rest")
            raise
    return counts


def _store_nothing(messages: Iterable[tuple[Message, int]]) -> None: ...
