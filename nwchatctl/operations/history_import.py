"""Imports the messages of a file, after it was checked as a whole."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from nwchatctl.chat.history_import import read
from nwchatctl.chat.history_store import ImportCounts, Importer, ImportRules, KnownMessages
from nwchatctl.chat.import_file import require_messages, require_text
from nwchatctl.errors import error_note
from nwchatctl.operations.deployed_api import require_api
from nwchatctl.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nwchat.model.wire import Message
    from nwchatctl.aws.dynamodb.messages import Messages
    from nwchatctl.context import App

_AHEAD_MS = 600_000
"""How far the clock of the machine that made the file of an import may be ahead of ours."""


@dataclass(frozen=True)
class _DryRun:
    """The table of a dry run: it is read, and not written."""

    messages: Messages

    def known(self, keys: Sequence[str]) -> KnownMessages:
        return self.messages.known(keys)

    def put(self, messages: Iterable[tuple[Message, int]]) -> None:
        return

    def restore(self, keys: Sequence[str]) -> None:
        return


def import_messages(app: App, source: BinaryIO, name: str, *, replace: bool, dry_run: bool) -> ImportCounts:
    """Stores what is a message in `source`, but in a dry run; what became of its entries. `name` is what the
    file is called. The error of a failure notes how many are stored by then.

    Raises ChatError, exit 2, before anything is stored, as `require_text` and `require_messages`.
    """
    counts = ImportCounts()
    if dry_run:
        require_api(app)
    messages = app.messages()
    rules = ImportRules(app.limits, app.settings.tables.retention_days, replace)
    importer = Importer(_DryRun(messages) if dry_run else messages, rules, counts, app.now_ms)

    def done() -> str:
        if dry_run or not counts.stored:
            return ""
        return f"{counted(counts.stored, 'message')} stored; the same command does the rest"

    with _readable_twice(source) as file, app.bar("read") as bar, error_note(done):
        require_text(file, name)
        found = require_messages(read(file, app.now_ms() + _AHEAD_MS), name)
        importer.store(found, bar.update)
    return counts


@contextmanager
def _readable_twice(source: BinaryIO) -> Iterator[BinaryIO]:
    """The file; of a pipe a copy, which has no name and is deleted when it is closed."""
    if source.seekable():
        yield source
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.seek(0)
        yield copy
