"""Recipients for our engine in pages, as a scan of the table returns them."""

from __future__ import annotations

from collections.abc import Sequence

from nwchat.model.rows import Recipient

_PAGE = 4000


class RecipientPages:
    """A source of recipients from connection ids. Rows are created when their page is read."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self._offset = 0

    def next(self) -> Sequence[Recipient] | None:
        page = self._ids[self._offset : self._offset + _PAGE]
        self._offset += len(page)
        return [Recipient(each, {"connection_id": {"S": each}}) for each in page] or None
