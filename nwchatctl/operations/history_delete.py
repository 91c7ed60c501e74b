"""Deletes messages: old ones, or some by their ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchat.model.ids import LATEST_STORE_MS, first_ulid
from nwchatctl.chat.history_export import fields
from nwchatctl.errors import error_note
from nwchatctl.report import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwchat.model.wire import Message
    from nwchatctl.aws.dynamodb.messages import Messages
    from nwchatctl.context import App


@dataclass(frozen=True)
class DeletedMessages:
    """The messages as they were, and the ids that have none."""

    found: list[Message]
    missing: list[str]

    @property
    def data(self) -> list[dict[str, object]]:
        """The messages as objects for `--json`."""
        return [fields(each) for each in self.found]


@dataclass(frozen=True)
class OldMessages:
    """Messages with an id below `limit`, how many there are; none where that is "". `cut`: later ones were
    meant too, and stay because they are of the last minute."""

    messages: Messages
    limit: str
    count: int
    cut: bool


def delete_by_id(app: App, ids: Sequence[str], dry_run: bool) -> DeletedMessages:
    """Deletes each message, but in a dry run. The error of a failure notes those that are deleted by then."""
    messages = app.messages()
    found: list[Message] = []
    missing: list[str] = []

    def done() -> str:
        deleted = ", ".join(each.id for each in found)
        return f"{deleted} deleted" if deleted and not dry_run else ""

    with error_note(done):
        for key in dict.fromkeys(ids):
            message = messages.get(key) if dry_run else messages.delete_one(key)
            if message is None:
                missing.append(key)
            else:
                found.append(message)
    return DeletedMessages(found, missing)


def find_old_messages(app: App, keep: int | None, before_ms: int | None) -> OldMessages:
    """Those older than `before_ms`; where that is None, all but the newest `keep`. Those of the last
    LATEST_STORE_MS stay, because no export has them yet."""
    messages = app.messages()
    complete = first_ulid(complete_until_ms(app))
    wanted = _limit(messages, keep, before_ms)
    # None means all of them: a room without any message.
    limit = complete if wanted is None else min(wanted, complete)
    return OldMessages(messages, limit, messages.count(limit) if limit else 0, cut=limit != wanted)


def complete_until_ms(app: App) -> int:
    """When the ids were made before which the history is complete, in epoch ms of AWS's clock.

    A message may be stored LATEST_STORE_MS after its id was made.
    """
    return app.now_ms() - LATEST_STORE_MS


def delete_old_messages(app: App, old: OldMessages) -> int:
    """Deletes them, oldest first; returns how many. The error of a failure notes how many are deleted."""
    deleted, messages = 0, old.messages

    def done() -> str:
        return (
            f"{deleted} of {counted(old.count, 'message')} are deleted; the same command goes on"
            if deleted
            else ""
        )

    with app.bar("deleted", old.count) as bar, error_note(done):
        for count in messages.delete(messages.keys(old.limit)):
            deleted += count
            bar.update(deleted)
    return deleted


def _limit(messages: Messages, keep: int | None, before_ms: int | None) -> str | None:
    """The id that the first message to stay has; "" when all stay, None when none does."""
    if before_ms is not None:
        return first_ulid(before_ms)
    return messages.oldest_of_newest(keep) or "" if keep else None
