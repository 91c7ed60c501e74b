"""A source of recipients that ends before a deadline and knows where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nwchat.delivery.prefetch import Prefetcher
from nwchat.model.rows import Recipient
from nwchat.storage.scan import ScanPage, recipients_of

_MAX_BATCH = 50
"""Maximum number of recipients returned at once; they are all posted to before the deadline."""


class DeadlineSource:
    """A source of the recipients in `pages`, until `deadline` (`clock` seconds).

    Returns at most one second's worth of posts at a time (`rate` a second). Pages are read ahead in a thread.
    """

    def __init__(
        self,
        pages: Callable[[], Iterator[ScanPage]],
        rate: float,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._prefetcher: Prefetcher[Recipient] = Prefetcher([lambda: recipients_of(pages())])
        self._batch_size = max(1, min(_MAX_BATCH, int(rate)))
        self._deadline = deadline
        self._clock = clock
        self._page: Sequence[Recipient] = ()
        self.last: str | None = None
        """The connection returned last; a scan can resume after it."""
        self.ended = False
        """Whether all recipients have been returned."""

    def next(self) -> Sequence[Recipient] | None:
        """The next recipients, as `nwchat.delivery.request.Source` defines."""
        if not self._page:
            page = self._prefetcher.next()
            if page is None:
                self.ended = True
                return None
            self._page = page
        if self._clock() >= self._deadline:
            self._prefetcher.close()
            return None
        batch, self._page = self._page[: self._batch_size], self._page[self._batch_size :]
        if batch:
            self.last = batch[-1].connection_id
        return batch
