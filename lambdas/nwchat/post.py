"""One frame to one connection, over API Gateway's @connections."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from nwchat.outcome import Delivered, Failed, Gone, Outcome, Refused

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


class Poster:
    """Posts with bounded retries. Whoever makes the client keeps botocore's own retries small.

    `clock` is monotonic seconds, `jitter` gives [0, 1). A wait is `jitter` times a ceiling that doubles from
    `base` to `cap` seconds: full jitter, because all recipients are throttled together.
    """

    def __init__(
        self,
        client: ApiGatewayManagementApiClient,
        *,
        attempts: int = 5,
        base: float = 0.1,
        cap: float = 2.0,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._attempts = attempts
        self._base = base
        self._cap = cap
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock

    def post(self, connection_id: str, data: bytes, deadline: float = math.inf) -> Outcome:
        """Never raises for what AWS or the network answers. No attempt begins at `deadline` or later."""
        retries = 0
        while True:
            outcome = self._once(connection_id, data, retries)
            if not isinstance(outcome, _Again):
                return outcome
            wait = self._jitter() * min(self._cap, self._base * 2**retries)
            if retries + 1 >= self._attempts or self._clock() + wait >= deadline:
                return Failed(outcome.reason, retries)
            self._sleep(wait)
            retries += 1

    def _once(self, connection_id: str, data: bytes, retries: int) -> Outcome | _Again:
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            return _read(error, retries)
        except (HTTPClientError, NotConnected) as error:
            return _Again(type(error).__name__)
        except BotoCoreError as error:
            return Failed(type(error).__name__, retries)
        return Delivered(retries)


class _Again:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _read(error: ClientError, retries: int) -> Outcome | _Again:
    """By the HTTP status: a reply may lack `x-amzn-ErrorType`, and botocore then has "410" for a code."""
    said = error.response.get("Error", {})
    code = str(said.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reason = f"{status} {code}: {said.get('Message', '')}".rstrip(": ")
    if status == 410:
        return Gone(retries)
    if status in (408, 429) or status >= 500:
        return _Again(reason)
    return Refused(status, reason, retries)
