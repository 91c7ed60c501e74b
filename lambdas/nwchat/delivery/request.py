"""What a scheduler works with: the source of items, the target of requests, and one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from nwchat.aws.signing import SignedRequest
from nwchat.delivery.outcome import Outcome, RetryableResponse

T = TypeVar("T")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Source(Protocol[Out_co]):
    """Where the items come from."""

    def next(self) -> Sequence[Out_co] | None:
        """The next items; empty when there are none yet, None at the end. May raise.

        Must not block: requests in flight are processed by the same thread.
        """


class RequestTarget(Protocol[In_contra]):
    """Where the requests go, and how their responses are interpreted."""

    method: str
    scheme: str
    host: str
    headers: tuple[str, ...]
    """`Name: value`, the same for all requests, not signed."""

    def request(self, item: In_contra) -> tuple[SignedRequest, bytes]:
        """The signed request about `item`, and its body. Raises ValueError when there can be none."""

    def outcome_of(self, status: int, body: bytes, retries: int) -> Outcome | RetryableResponse:
        """What a response means."""

    def renew(self) -> None:
        """Get new credentials for the next request."""


class Call(Generic[T]):
    """One item and its current request.

    `signed`, `body` and `sent_at` (monotonic seconds) belong to the latest attempt. `rejections` counts the
    responses 429 in a row that may mean a full buffer, `timeouts` the attempts without a response in time.
    """

    __slots__ = ("body", "item", "rejected_at", "rejections", "retries", "sent_at", "signed", "timeouts")

    signed: SignedRequest
    body: bytes

    def __init__(self, item: T) -> None:
        self.item = item
        self.retries = 0
        self.rejections = 0
        self.timeouts = 0
        self.rejected_at = 0.0
        self.sent_at = 0.0
