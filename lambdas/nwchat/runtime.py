"""What a cold start makes once: configuration, clients, log. The only file that imports boto3."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from nwchat.dialing import AsyncioTransport
from nwchat.invoking import Invoker, Missed
from nwchat.keys import UlidMaker
from nwchat.limits import Limits
from nwchat.post import Poster
from nwchat.segments import Segment
from nwchat.signing import Credentials
from nwchat.sizing import Size
from nwchat.store import Store
from nwchat.targets import Rows
from nwchat.tls import client_context

if TYPE_CHECKING:
    from nwchat.keyring import Keyring
    from nwchat.token_keys import Key

_WIDTH = 128
"""Posts under way at most: asyncio keeps 256 KB for each TLS connection, and within a Region an answer takes
some 10 ms."""
_MARGIN_SECONDS = 2.0
"""Kept back of a function's time, to finish what is under way, answer and log."""

Event: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FanOut:
    """A room of more than `threshold` connections is large, and cut into segments of about `segment_size`.

    `function` takes them, a name with its alias; "" where there is none, and no room is large. `rate` is
    posts a second that one message to all may make, of all segments together.
    """

    function: str = ""
    threshold: int = 250
    segment_size: int = 25_000
    rate: int = 8_000


@dataclass(frozen=True, slots=True)
class Config:
    """The functions' settings, as `deploy` puts them into their environment."""

    connections_table: str
    messages_table: str
    endpoint: str = ""
    retention_days: int = 90
    echo_to_sender: bool = True
    allowed_origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    log_level: str = "INFO"
    fan_out: FanOut = field(default_factory=FanOut)
    tokens: bool = False
    """Whether a token says who somebody is, and nobody without one is heard."""
    key_parameter: str = ""
    """The parameter with the keys that tokens are signed with."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """KeyError for a missing table name, ValueError for a number that isn't one: deploy sets them all."""
        standard, spread = Limits(), FanOut()
        origins = (origin.strip().rstrip("/") for origin in env.get("NWCHAT_ALLOWED_ORIGINS", "").split(","))
        return cls(
            connections_table=env["NWCHAT_CONNECTIONS_TABLE"],
            messages_table=env["NWCHAT_MESSAGES_TABLE"],
            endpoint=env.get("NWCHAT_ENDPOINT", ""),
            retention_days=int(env.get("NWCHAT_RETENTION_DAYS", "90")),
            echo_to_sender=env.get("NWCHAT_ECHO_TO_SENDER", "true").lower() != "false",
            allowed_origins=frozenset(origin.lower() for origin in origins if origin),
            limits=Limits(
                max_message_chars=int(env.get("NWCHAT_MAX_MESSAGE_CHARS", standard.max_message_chars)),
                max_uname_chars=int(env.get("NWCHAT_MAX_UNAME_CHARS", standard.max_uname_chars)),
                rate_messages=int(env.get("NWCHAT_RATE_MESSAGES", standard.rate_messages)),
                rate_seconds=int(env.get("NWCHAT_RATE_SECONDS", standard.rate_seconds)),
            ),
            log_level=env.get("NWCHAT_LOG_LEVEL", "INFO"),
            fan_out=FanOut(
                function=env.get("NWCHAT_FANOUT_FUNCTION", ""),
                threshold=int(env.get("NWCHAT_FANOUT_THRESHOLD", spread.threshold)),
                segment_size=int(env.get("NWCHAT_FANOUT_SEGMENT_SIZE", spread.segment_size)),
                rate=int(env.get("NWCHAT_SENDING_RATE", spread.rate)),
            ),
            tokens=env.get("NWCHAT_AUTH_MODE", "open") == "token",
            key_parameter=env.get("NWCHAT_AUTH_PARAMETER", ""),
        )


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger whose every record carries `request_id` and `connection_id`; `extra` adds to them."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**(self.extra or {}), **(kwargs.get("extra") or {})}}


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys of Lambda's own JSON format."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            fields["errorType"] = record.exc_info[0].__name__
            fields["errorMessage"] = str(record.exc_info[1])
            fields["stackTrace"] = self.formatException(record.exc_info).splitlines()
        return json.dumps(fields, default=str, separators=(",", ":"))


def _nowhere(segments: Sequence[Segment]) -> list[Missed]:
    return [Missed(each, "there is no function to take it") for each in segments]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a handler works with. `now_ms` gives epoch ms, `new_id` a ULID.

    `hand_over` invokes `fanout` with each segment, and gives back those that it could not. `size` takes how
    many connections have been seen, and gives how many there may be in all. `keys` gives those of tokens.
    """

    config: Config
    store: Store
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    hand_over: Callable[[Sequence[Segment]], list[Missed]] = _nowhere
    size: Callable[[int], int] = int
    keys: Callable[[], Sequence[Key]] = tuple


@cache
def config() -> Config:
    return Config.from_env(os.environ)


@cache
def tools() -> Tools:
    settings = config()
    store = Store(_client("dynamodb"), settings.connections_table, settings.messages_table)
    return Tools(
        settings,
        store,
        now_ms,
        UlidMaker(now_ms, os.urandom),
        # Made when a room is large for the first time: small ones need no client of Lambda's.
        hand_over=lambda segments: invoker().hand_over_all(segments),
        size=Size(store.size, _logger()).at_least,
        # Only functions that let people in ask for them.
        keys=lambda: keys()(),  # noqa: PLW0108 - made when first asked
    )


@cache
def poster() -> Poster:
    settings = config()
    if not settings.endpoint:
        raise KeyError("NWCHAT_ENDPOINT")
    about = _client("dynamodb").meta
    rows = Rows(about.endpoint_url, about.region_name, settings.connections_table, _credentials)
    # Certificates are read while there is a whole CPU for it.
    secure = client_context() if settings.endpoint.startswith("https:") else None
    transport = AsyncioTransport(verify=secure)
    return Poster(
        transport, settings.endpoint, about.region_name, _credentials, rows, now_ms, most_width=_WIDTH
    )


@cache
def invoker() -> Invoker:
    function = config().fan_out.function
    if not function:
        raise KeyError("NWCHAT_FANOUT_FUNCTION")
    return Invoker(_client("lambda"), function)


@cache
def keys() -> Keyring:
    """What gives the keys of tokens as they are now (`nwchat.keyring`), none where they cannot be had.

    KeyError where deploy has named no parameter. The role needs ssm:GetParameter alone (`policies`).
    """
    from nwchat.keyring import Keyring

    name = config().key_parameter
    if not name:
        raise KeyError("NWCHAT_AUTH_PARAMETER")
    ssm = _client("ssm", brief=True)
    return Keyring(lambda: _fetched(ssm, name), time.monotonic, _logger(), random.uniform, time.sleep)


def _fetched(ssm: Any, name: str) -> tuple[Key, ...]:
    from nwchat.keyring import NoKeys
    from nwchat.token_keys import read_keys

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

    from nwchat.models import RawItems

    core = botocore.session.Session()
    core.register_component("data_loader", RawItems())
    return boto3.session.Session(botocore_session=core)


@cache
def _client(service: str, *, brief: bool = False) -> Any:
    """A `brief` one gives up soon: a handshake waits for it, and there is something to go on with."""
    from botocore.config import Config as ClientConfig

    settings = ClientConfig(
        connect_timeout=1 if brief else 2,
        read_timeout=2 if brief else 5,
        retries={"mode": "standard", "total_max_attempts": 2 if brief else 4},
    )
    return _session().client(service, config=settings)


def _credentials() -> Credentials:
    """The role's, which a snapshot that was started anew has fresh ones of."""
    found = _session().get_credentials()
    if found is None:
        raise LookupError("no AWS credentials")
    keys = found.get_frozen_credentials()
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


def is_warming() -> bool:
    """Whether to make clients at import: Lambda's init phase has a whole CPU, an invocation a fraction."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ
