"""The former engine: boto3 in 32 threads, in place of `nwchat.delivery.poster.Poster`.

It has the same retries, outcomes and counts, so that both do the same work.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as ConnectionFailed

from nwchat.delivery.outcome import Delivered, Failed, Gone, Outcome, Refused
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.request import Source
from nwchat.delivery.tally import Counts, RecipientSource, Tally
from nwchat.model.rows import Recipient

WORKERS = 32
_ATTEMPTS = 5
_QUEUED_PER_WORKER = 4


class Boto3Poster:
    """Posts with `client`, a boto3 client of API Gateway's management API."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, connection_id: str, data: bytes, deadline: float = math.inf) -> Outcome:
        retries = 0
        while True:
            outcome, retryable = self._try_once(connection_id, data, retries)
            pause = random.random() * min(2.0, 0.1 * 2**retries)  # noqa: S311
            if not retryable or retries + 1 >= _ATTEMPTS or time.monotonic() + pause >= deadline:
                return outcome
            time.sleep(pause)
            retries += 1

    def _try_once(self, connection_id: str, data: bytes, retries: int) -> tuple[Outcome, bool]:
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if status == 410:
                return Gone(retries), False
            if status in (408, 429) or status >= 500:
                return Failed(str(error), retries), True
            return Refused(status, str(error), retries), False
        except (HTTPClientError, ConnectionFailed) as error:
            return Failed(type(error).__name__, retries), True
        except BotoCoreError as error:
            return Failed(type(error).__name__, retries), False
        return Delivered(retries), False

    def post_all(
        self,
        source: Source[Recipient],
        data: bytes,
        *,
        priority: Sequence[Recipient] = (),
        skip: frozenset[str] = frozenset(),
        rate_limiter: RateLimiter | None = None,
        deadline: float = math.inf,
    ) -> Counts:
        """Posts while the next page is read. The number of workers bounds the pending posts. boto3 does
        not reach the rate of `rate_limiter`."""
        recipients, tally = RecipientSource(source, priority=priority, skip=skip), Tally()
        pending: dict[Future[Outcome], Recipient] = {}

        def collect_outcomes(max_pending: int) -> None:
            while len(pending) > max_pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    tally.record(pending.pop(future), future.result())

        with ThreadPoolExecutor(WORKERS, thread_name_prefix="fan-out") as pool:
            while (page := recipients.next()) is not None:
                if not page:
                    # The next page is being read.
                    time.sleep(0.001)
                for each in page:
                    collect_outcomes(WORKERS * _QUEUED_PER_WORKER - 1)
                    pending[pool.submit(self.post, each.connection_id, data, deadline)] = each
            collect_outcomes(0)
        return tally.counts()
