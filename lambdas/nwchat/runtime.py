"""Composition root of the functions: settings, clients and log, created once per cold start.

Nothing here imports boto3, which takes two thirds of a cold start. What not every function needs is imported
where it is created.
"""

from __future__ import annotations

import logging
import math
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from nwchat import cold_start
from nwchat.aws.credentials import credential_source
from nwchat.aws.endpoints import AwsEndpoint, aws_endpoint
from nwchat.aws.http_client import HttpTimeouts
from nwchat.aws.service_client import CallPolicy
from nwchat.aws.signing import Credentials
from nwchat.aws.tls import lazy_client_context
from nwchat.config import Config
from nwchat.log import NAME, JsonFormatter, Log, LoggableError, error_name, redact
from nwchat.model.ids import UlidGenerator
from nwchat.model.log_hash import log_hash
from nwchat.storage.budgets import Budgets
from nwchat.storage.dynamodb_client import DynamoDbClient
from nwchat.storage.store import Store
from nwchat.storage.table_size import TableSize
from nwchat.values import dataclass

if TYPE_CHECKING:
    import ssl

    from nwchat.auth.key_cache import KeyCache
    from nwchat.auth.token_keys import TokenKey
    from nwchat.aws.signing import Credentials
    from nwchat.delivery.poster import Poster
    from nwchat.large_rooms.invoker import FailedInvocation, Invoker
    from nwchat.large_rooms.segments import Segment

_MAX_CONCURRENCY = 128
"""Maximum number of concurrent posts: each connection costs a TLS handshake, and within a Region a response
takes about 10 ms."""
_MARGIN_SECONDS = 2.0
"""Part of a function's time that is reserved for finishing requests in flight, replying and logging."""

_FAIL_FAST = CallPolicy(attempts=2, timeouts=HttpTimeouts(1.0, 2.0))
"""For calls during a handshake, whose caller has cached data or retries itself."""

Event: TypeAlias = Mapping[str, Any]
Response: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The dependencies of a handler. `now_ms` returns epoch ms, `new_id` a ULID.

    `invoke_fanout` invokes `fanout` for each segment and returns those that failed. `estimated_size` takes
    the number of connections read so far and returns the estimated number of all. `token_keys` returns the
    signing keys of tokens. `budgets` counts what senders spend. `log_hash` returns what a log has instead of
    a name or an address.
    """

    config: Config
    store: Store
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    invoke_fanout: Callable[[Sequence[Segment]], list[FailedInvocation]]
    estimated_size: Callable[[int], int]
    token_keys: Callable[[], Sequence[TokenKey]]
    budgets: Budgets
    log_hash: Callable[[str], str]


class MissingSetting(LoggableError, KeyError):
    """A variable that `deploy` sets is missing in the function's environment."""


@cache
def config() -> Config:
    """The settings of this function."""
    return Config.from_env(os.environ)


@cache
def services() -> Services:
    """The dependencies of the handlers. Raises MissingSetting when a table's name is missing."""
    settings = config()
    tables = settings.connections_table, settings.messages_table
    if not all(tables):
        raise MissingSetting("NWCHAT_CONNECTIONS_TABLE, NWCHAT_MESSAGES_TABLE")
    store = Store(_dynamodb(), *tables)
    return Services(
        settings,
        store,
        now_ms,
        UlidGenerator(now_ms, os.urandom),
        # Created for the first large room: small rooms need no Lambda client.
        invoke_fanout=lambda segments: invoker().invoke_all(segments),
        estimated_size=TableSize(store.item_count, _logger()).at_least,
        # Only functions that authenticate clients call it.
        token_keys=lambda: keys()(),  # noqa: PLW0108 - created on first use
        budgets=Budgets(_dynamodb(), *tables),
        # Needed for few lines, as those of banned clients.
        log_hash=lambda text: log_hash(_log_hash_key(), text),
    )


@cache
def poster() -> Poster:
    """The poster to the stage's connections. Raises MissingSetting when no endpoint is configured."""
    from nwchat.delivery import socket_transport, targets
    from nwchat.delivery.poster import Poster

    settings = config()
    if not settings.endpoint:
        raise MissingSetting("NWCHAT_ENDPOINT")
    dynamodb = aws_endpoint("dynamodb", os.environ)
    rows = targets.RowDeletion(dynamodb.url, dynamodb.region, settings.connections_table, _credentials())
    transport = socket_transport.SocketTransport(
        verify=_tls() if settings.endpoint.startswith("https:") else None
    )
    return Poster(
        transport,
        settings.endpoint,
        dynamodb.region,
        _credentials(),
        rows,
        now_ms,
        max_concurrency=_MAX_CONCURRENCY,
    )


@cache
def invoker() -> Invoker:
    """The invoker of the fan-out function. Raises MissingSetting when no function is configured."""
    from nwchat.large_rooms.invoker import Invoker
    from nwchat.large_rooms.lambda_client import LambdaInvoker

    function = config().fan_out.function
    if not function:
        raise MissingSetting("NWCHAT_FANOUT_FUNCTION")
    return Invoker(LambdaInvoker(_endpoint("lambda"), _credentials(), _tls), function)


@cache
def keys() -> KeyCache:
    """The cache of the signing keys of tokens; see `nwchat.auth.key_cache`.

    Raises MissingSetting when no parameter is configured. The function's role allows ssm:GetParameter only.
    """
    from nwchat.auth.key_cache import KeyCache
    from nwchat.auth.key_reader import KeyReader

    name = config().key_parameter
    if not name:
        raise MissingSetting("NWCHAT_AUTH_PARAMETER")
    reader = KeyReader(_endpoint("ssm"), _credentials(), _tls, _FAIL_FAST)
    return KeyCache(
        lambda: reader.keys_in(name), time.monotonic, _logger(), random.SystemRandom().uniform, time.sleep
    )


def now_ms() -> int:
    """The current time in epoch ms."""
    return time.time_ns() // 1_000_000


@cache
def _dynamodb() -> DynamoDbClient:
    return DynamoDbClient(_endpoint("dynamodb"), _credentials(), _tls)


def _endpoint(service: str) -> AwsEndpoint:
    """The endpoint of a service. Its certificates are loaded now: Lambda's init phase has a whole CPU."""
    endpoint = aws_endpoint(service, os.environ)
    if endpoint.url.startswith("https:"):
        _tls()
    return endpoint


@cache
def _tls() -> ssl.SSLContext:
    return lazy_client_context()


@cache
def _credentials() -> Callable[[], Credentials]:
    """Returns the role's credentials. A restored SnapStart snapshot gets new ones."""
    return credential_source(os.environ)


@cache
def _log_hash_key() -> bytes:
    """The key of hashes in logs. When it cannot be read, hashes match only within this instance's log."""
    try:
        return services().store.table_id().encode()
    except Exception as error:
        _logger().warning("the key of hashes cannot be read", extra={"error": error_name(error)})
        return os.urandom(16)


@cache
def _logger() -> logging.Logger:
    logger = logging.getLogger(NAME)
    logger.setLevel(config().log_level)
    # In JSON mode the runtime's own handler on the root logger also formats `extra`.
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.handlers = [handler]
        logger.propagate = False
    redact((*logging.getLogger().handlers, *logger.handlers))
    return logger


@cache
def _begin() -> None:
    """What the first invocation in each environment does first.

    Seeds the shared random generator anew: a library may use it, and all environments that SnapStart restores
    begin with the same copy (Lambda developer guide, "Handling uniqueness with Lambda SnapStart"). Own code
    uses `random.SystemRandom`.
    """
    random.seed()
    cold_start.resume_collection()


def log_for(event: Event, context: object) -> Log:
    """The log of one invocation; the first thing that each invocation needs."""
    _begin()
    request = request_of(event)
    request_id = getattr(context, "aws_request_id", None) or request.get("requestId")
    return Log(_logger(), {"request_id": request_id, "connection_id": request.get("connectionId")})


def request_of(event: Event) -> Mapping[str, Any]:
    """The event's `requestContext`; empty when there is none, as in the console's test event."""
    request = event.get("requestContext")
    return request if isinstance(request, Mapping) else {}


def connected_at(request: Mapping[str, Any], default: int) -> int:
    """When the connection of a `requestContext` was made, in epoch ms; `default` when that is missing."""
    found = request.get("connectedAt")
    return found if isinstance(found, int) else default


def deadline_of(context: object, clock: Callable[[], float] = time.monotonic) -> float:
    """When to start no more work, in `clock` seconds; infinity when the context has no remaining time."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return clock() + remaining() / 1000 - _MARGIN_SECONDS if callable(remaining) else math.inf
