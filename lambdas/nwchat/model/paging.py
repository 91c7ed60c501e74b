"""A page of history with its cursors, out of what a query found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nwchat.model.wire import Message, Page


def is_forward(after: str | None) -> bool:
    """Whether a request pages from older to newer: it does when it says where it left off."""
    return after is not None


def page_of(found: Sequence[Message], limit: int, *, before: str | None, after: str | None) -> Page:
    """`found`: at most `limit` + 1 messages from the near end on, the last one only to say there are more.

    The far end's cursor is None when nothing was left there. The near end's is the page's own end, as
    something may lie beyond it, but None for the newest page, beyond which nothing did.
    """
    shown, more = found[:limit], len(found) > limit
    if not shown:
        return Page()
    if is_forward(after):
        return Page(tuple(shown), before=shown[0].id, after=shown[-1].id if more else None)
    near = shown[0].id if before is not None else None
    return Page(tuple(reversed(shown)), before=shown[-1].id if more else None, after=near)
