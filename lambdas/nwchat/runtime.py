"""What a cold start makes once: configuration, clients, log. The only file that imports boto3."""

from __future__ import annotations

import logging
import math
import os
import random
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from nwchat.config import Config
from nwchat.delivery.asyncio_transport import AsyncioTransport
from nwchat.delivery.poster import Poster
from nwchat.delivery.signing import Credentials
from nwchat.delivery.targets import RowDeletion
from nwchat.large_rooms.invoker import FailedInvocation, Invoker
from nwchat.large_rooms.segments import Segment
from nwchat.log import JsonFormatter, Log
from nwchat.model.ids import UlidGenerator
from nwchat.storage.store import Store
from nwchat.storage.table_size import TableSize

if TYPE_CHECKING:
    from nwchat.auth.key_cache import KeyCache
    from nwchat.auth.token_keys import TokenKey

_MAX_CONCURRENCY = 128
"""Posts under way at most: asyncio keeps 256 KB for each TLS connection, and within a Region an answer takes
some 10 ms."""
_MARGIN_SECONDS = 2.0
"""Kept back of a function's time, to finish what is under way, answer and log."""

Event: TypeAlias = Mapping[str, Any]
Response: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """What a handler works with. `now_ms` gives epoch ms, `new_id` a ULID.

    `hand_over` invokes `fanout` with each segment, and gives back those that it could not. `size` takes how
    many connections have been seen, and gives how many there may be in all. `keys` gives those of tokens.
    """

    config: Config
    store: Store
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    invoke_fanout: Callable[[Sequence[Segment]], list[FailedInvocation]]
    estimated_size: Callable[[int], int]
    token_keys: Callable[[], Sequence[TokenKey]]


@cache
def config() -> Config:
    return Config.from_env(os.environ)


@cache
def services() -> Services:
    settings = config()
    store = Store(_client("dynamodb"), settings.connections_table, settings.messages_table)
    return Services(
        settings,
        store,
        now_ms,
        UlidGenerator(now_ms, os.urandom),
        # Made when a room is large for the first time: small ones need no client of Lambda's.
        invoke_fanout=lambda segments: invoker().invoke_all(segments),
        estimated_size=TableSize(store.item_count, _logger()).at_least,
        # Only functions that let people in ask for them.
        token_keys=lambda: keys()(),  # noqa: PLW0108 - made when first asked
    )


@cache
def poster() -> Poster:
    settings = config()
    if not settings.endpoint:
        raise KeyError("NWCHAT_ENDPOINT")
    meta = _client("dynamodb").meta
    rows = RowDeletion(meta.endpoint_url, meta.region_name, settings.connections_table, _credentials)
    # Certificates are read while there is a whole CPU for it.
    tls_context = ssl.create_default_context() if settings.endpoint.startswith("https:") else None
    transport = AsyncioTransport(verify=tls_context)
    return Poster(
        transport,
        settings.endpoint,
        meta.region_name,
        _credentials,
        rows,
        now_ms,
        max_concurrency=_MAX_CONCURRENCY,
    )


@cache
def invoker() -> Invoker:
    function = config().fan_out.function
    if not function:
        raise KeyError("NWCHAT_FANOUT_FUNCTION")
    return Invoker(_client("lambda"), function)


@cache
def keys() -> KeyCache:
    """What gives the keys of tokens as they are now (`nwchat.auth.key_cache`), none where they cannot be had.

    KeyError where deploy has named no parameter. The role needs ssm:GetParameter alone (`policies`).
    """
    from nwchat.auth.key_cache import KeyCache

    name = config().key_parameter
    if not name:
        raise KeyError("NWCHAT_AUTH_PARAMETER")
    ssm = _client("ssm", brief=True)
    return KeyCache(lambda: _fetch_keys(ssm, name), time.monotonic, _logger(), random.uniform, time.sleep)


def _fetch_keys(ssm: Any, name: str) -> tuple[TokenKey, ...]:
    from nwchat.auth.key_cache import NoKeys
    from nwchat.auth.token_keys import read_keys

    try:
        return read_keys(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except (ssm.exceptions.ParameterNotFound, ValueError):
        raise NoKeys from None


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@cache
def _session() -> Any:
    import boto3
    import botocore.session

    from nwchat.storage.service_model import RawItems

    core = botocore.session.Session()
    core.register_component("data_loader", RawItems())
    return boto3.session.Session(botocore_session=core)


@cache
def _client(service: str, *, fail_fast: bool = False) -> Any:
    """A `brief` one gives up soon: a handshake waits for it, and there is something to go on with."""
    from botocore.config import Config as ClientConfig

    settings = ClientConfig(
        connect_timeout=1 if fail_fast else 2,
        read_timeout=2 if fail_fast else 5,
        retries={"mode": "standard", "total_max_attempts": 2 if fail_fast else 4},
    )
    return _session().client(service, config=settings)


def _credentials() -> Credentials:
    """The role's, which a snapshot that was started anew has fresh ones of."""
    credentials = _session().get_credentials()
    if credentials is None:
        raise LookupError("no AWS credentials")
    keys = credentials.get_frozen_credentials()
    return Credentials(keys.access_key, keys.secret_key, keys.token or "")


@cache
def _logger() -> logging.Logger:
    logger = logging.getLogger("nwchat")
    logger.setLevel(config().log_level)
    # In JSON mode the runtime's own handler on the root logger formats `extra` as well.
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.handlers = [handler]
        logger.propagate = False
    return logger


def log_for(event: Event, context: object) -> Log:
    """The log of one invocation."""
    request = request_of(event)
    request_id = getattr(context, "aws_request_id", None) or request.get("requestId")
    return Log(_logger(), {"request_id": request_id, "connection_id": request.get("connectionId")})


def request_of(event: Event) -> Mapping[str, Any]:
    """`requestContext`, empty when an event (the console's test event, say) has none."""
    request = event.get("requestContext")
    return request if isinstance(request, Mapping) else {}


def deadline_of(context: object, clock: Callable[[], float] = time.monotonic) -> float:
    """When to begin nothing more, in `clock` seconds; never, where the context doesn't tell the time left."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return clock() + remaining() / 1000 - _MARGIN_SECONDS if callable(remaining) else math.inf


def in_init_phase() -> bool:
    """Whether to make clients at import: Lambda's init phase has a whole CPU, an invocation a fraction."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ
