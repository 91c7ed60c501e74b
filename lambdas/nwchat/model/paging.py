"""Pages of the history with their cursors, from the result of a query. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nwchat.model.wire import Message, Page


def is_forward(after: str | None) -> bool:
    """Whether a request pages from older to newer messages: it does when it has `after`."""
    return after is not None


def page_of(found: Sequence[Message], limit: int, *, before: str | None, after: str | None) -> Page:
    """The page of `found`: at most `limit` + 1 messages from the near end, the last only as a marker.

    The far end's cursor is None when nothing is left there. The near end's cursor is the page's own end, as
    there may be messages beyond it, but None for the newest page.
    """
    shown, more = found[:limit], len(found) > limit
    if not shown:
        return Page()
    if is_forward(after):
        return Page(tuple(shown), before=shown[0].id, after=shown[-1].id if more else None)
    near = shown[0].id if before is not None else None
    return Page(tuple(reversed(shown)), before=shown[-1].id if more else None, after=near)
