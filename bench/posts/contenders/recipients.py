"""Recipients for our own engine, as a scan of the table gives them: a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

from nwchat.model.rows import Recipient

_PAGE = 4000


class RecipientPages:
    """These connections as a source of recipients; each row is made when its page is asked for."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self._offset = 0

    def next(self) -> Sequence[Recipient] | None:
        page = self._ids[self._offset : self._offset + _PAGE]
        self._offset += len(page)
        return [Recipient(each, {"connection_id": {"S": each}}) for each in page] or None
