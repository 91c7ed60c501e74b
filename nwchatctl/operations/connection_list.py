"""Reads the connections that a list shows, in its order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nwchat.model.bans import is_user
from nwchatctl.chat.connection_order import KEYS, MAX_SORTED, sort_connections
from nwchatctl.chat.connection_rows import is_older
from nwchatctl.operations.bans import exact_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nwchat.model.rows import Connection
    from nwchatctl.context import App


def list_connections(
    app: App, now_ms: int, user: str, before_ms: int | None, order: str, limit: int | None
) -> Iterator[Connection]:
    """At most `limit` connections of `user` ("" for all) that were last active before `before_ms`, in the
    `order` of one of KEYS, or as they are read for any other. Warns where they are too many to be sorted."""
    note = partial(app.warn, f"more than {MAX_SORTED} connections: they are not in order")
    return sort_connections(_matching(app, now_ms, user, before_ms), KEYS.get(order), limit, on_unsorted=note)


def _matching(app: App, now_ms: int, user: str, before_ms: int | None) -> Iterator[Connection]:
    exact = exact_ids(app)
    for page in app.store.connections(now_ms, full=True):
        for each in page:
            if user and not is_user(user, each.sender_id, each.uname, exact=exact):
                continue
            if is_older(each.connected_at, each.last_seen_at, before_ms):
                yield each
