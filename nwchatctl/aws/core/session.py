"""boto3 sessions and clients, created once on first use, with the tool's timeouts and retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, overload

from nwchat.aws.idle_connections import drop_idle_connections
from nwchatctl import __version__
from nwchatctl.aws.core.server_clock import ServerDates

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 20.0
"""Seconds. Every call of the control plane is faster; a hanging call must not block a deploy."""

QUICK_READ_TIMEOUT = 5.0
"""Seconds. For calls of DynamoDB that their caller repeats: it answers within milliseconds, and a lease must
not be lost to one answer that never comes."""

SLOW_READ_TIMEOUT = 930
"""Seconds. A Lambda may run for 900 (`fanout.timeout_seconds`), and `invoke` waits for it: a call that times
out earlier is sent again and runs twice."""

ATTEMPTS = 8
"""Attempts of each call, throttling and 5xx included: API Gateway's control plane allows 10 requests a
second."""

UNANSWERED = 4
"""Attempts of a call without a response: some seconds, while ATTEMPTS would take a minute and more."""

POOL = 32
"""Connections that a client keeps, so that parallel reads and posts do not queue or reconnect."""


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Explicit keys, instead of boto3's credential chain."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How AWS is reached: boto3's profile and Region ("" for boto3's default), or the sandbox's endpoint."""

    profile: str = ""
    region: str = ""
    endpoint: str = ""
    credentials: StaticCredentials | None = None
    read_timeout: float = READ_TIMEOUT


@dataclass
class Aws:
    """A boto3 session with one client per service, safe to share between threads."""

    access: Access
    trace: Callable[[str], None] | None = None
    """Receives a line for each finished call: service, operation, status, ms, retries; no secrets."""
    dates: ServerDates = field(default_factory=ServerDates)
    """AWS's clock, as the responses to all clients tell it."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _session: boto3.session.Session | None = field(default=None, repr=False)
    _clients: dict[tuple[str, bool, bool], Any] = field(default_factory=dict, repr=False)

    @property
    def session(self) -> boto3.session.Session:
        """The boto3 session. Raises botocore's ProfileNotFound."""
        with self._lock:
            if self._session is None:
                # Importing boto3 takes 230 ms: only commands that use AWS import it.
                import boto3
                import botocore.session

                from nwchatctl.aws.core.answers import AnswerParserFactory
                from nwchatctl.aws.core.service_models import ServiceModels

                keys = self.access.credentials
                # Explicit keys need no profile, not even AWS_PROFILE's, which may not exist.
                bare = {"profile": (None, None, None, None)} if keys else None
                core = botocore.session.Session(session_vars=bare)
                core.register_component("data_loader", ServiceModels())
                core.register_component("response_parser_factory", AnswerParserFactory())
                self._session = boto3.session.Session(
                    botocore_session=core,
                    profile_name=self.access.profile or None,
                    region_name=self.access.region or None,
                    aws_access_key_id=keys.access_key_id if keys else None,
                    aws_secret_access_key=keys.secret_access_key if keys else None,
                )
            return self._session

    @overload
    def client(self, service: Literal["acm"]) -> ACMClient: ...
    @overload
    def client(self, service: Literal["apigateway"]) -> APIGatewayClient: ...
    @overload
    def client(self, service: Literal["apigatewayv2"], *, retries: bool = True) -> ApiGatewayV2Client: ...
    @overload
    def client(self, service: Literal["dynamodb"], *, retries: bool = True) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["lambda"], *, slow: bool = False) -> LambdaClient: ...
    @overload
    def client(self, service: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, service: Literal["route53"]) -> Route53Client: ...
    @overload
    def client(self, service: Literal["sqs"]) -> SQSClient: ...
    @overload
    def client(self, service: Literal["ssm"]) -> SSMClient: ...
    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...
    def client(self, service: str, *, retries: bool = True, slow: bool = False) -> Any:
        """The client of `service`.

        Without `retries` each call is sent once: for calls that must not be repeated. A `slow` client waits
        for a response as long as a function may run.
        """
        wanted = (service, retries, slow)
        with self._lock:
            if wanted not in self._clients:
                self._clients[wanted] = self._make(*wanted)
            return self._clients[wanted]

    def tagging_client(self, region: str) -> Any:
        """The client of the Resource Groups Tagging API in `region`, which may be another than this
        session's."""
        with self._lock:
            return self._make("resourcegroupstaggingapi", retries=True, slow=False, region=region)

    def prepare(self, *services: Any) -> None:
        """Creates clients in the background, while the caller waits for AWS. Errors are ignored here: they
        are raised again where the client is used."""

        def make() -> None:
            with suppress(Exception):
                for each in services:
                    self.client(each)

        threading.Thread(target=make, name="prepare", daemon=True).start()

    def _read_timeout(self, service: str, retries: bool, slow: bool) -> float:
        if slow:
            return SLOW_READ_TIMEOUT
        if service == "dynamodb" and not retries:
            return min(QUICK_READ_TIMEOUT, self.access.read_timeout)
        return self.access.read_timeout

    def _make(self, service: str, retries: bool, slow: bool, region: str = "") -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=self._read_timeout(service, retries, slow),
            max_pool_connections=POOL,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS if retries else 1},
            user_agent_extra=f"nwchatctl/{__version__}",
            # The sandbox is on this machine, whatever proxy leads out of it.
            proxies={} if self.access.endpoint else None,
        )
        # boto3's own type wants a literal name for each service.
        make: Any = self.session.client
        client = make(
            service, region_name=region or None, endpoint_url=self.access.endpoint or None, config=config
        )
        client.meta.events.register("needs-retry", _limit_retries)
        drop_idle_connections(client)
        self.dates.attach(client)
        if self.trace is not None:
            _trace_calls(client, service, self.trace)
        return client


def _limit_retries(
    attempts: int,
    response: Any,
    operation: Any,
    caught_exception: Exception | None,
    request_dict: dict[str, Any],
    **_: object,
) -> None:
    """Stops retries of a call after UNANSWERED attempts without a response, and of every call once
    `stop_retrying` was called. botocore has one limit for missing responses and for throttling, which
    deserves more attempts.

    A response that was cut off in its headers counts as missing; http.client takes it for a complete one
    without a body.
    """
    from botocore.exceptions import ClientError, ConnectionClosedError

    from nwchatctl.aws.core.retry import announce_long_retry, is_stopped

    if caught_exception is not None:
        if attempts >= UNANSWERED or is_stopped():
            raise caught_exception
        return
    http_response, parsed = response
    if not _is_complete(http_response):
        raise ConnectionClosedError(endpoint_url=http_response.url)
    if http_response.status_code < HTTPStatus.BAD_REQUEST:
        return
    error = ClientError(parsed, operation.name)
    if is_stopped():
        raise error
    announce_long_retry(error, request_dict["context"])


def _is_complete(response: Any) -> bool:
    """Whether the headers give the length of the body, or there is a body that ends with its connection."""
    length = response.headers.get("Content-Length") or response.headers.get("Transfer-Encoding")
    return response.status_code == HTTPStatus.NO_CONTENT or bool(length or response.content)


def _trace_calls(client: Any, service: str, trace: Callable[[str], None]) -> None:
    """Calls `trace` for every API call; the request's context holds the start time between the two events."""

    def on_start(context: dict[str, Any], **_: object) -> None:
        context["nwchatctl_began"] = time.monotonic()

    def on_end(event_name: str, context: dict[str, Any], parsed: Any = None, **failed: object) -> None:
        elapsed_ms = (time.monotonic() - context.get("nwchatctl_began", time.monotonic())) * 1000
        metadata = (parsed or {}).get("ResponseMetadata", {})
        status = metadata.get("HTTPStatusCode", type(failed.get("exception")).__name__)
        retries = metadata.get("RetryAttempts", "?")
        trace(
            f"{service} {event_name.rpartition('.')[2]}: {status} in {elapsed_ms:.0f} ms, {retries} retries"
        )

    client.meta.events.register("before-call.*.*", on_start)
    client.meta.events.register("after-call.*.*", on_end)
    client.meta.events.register("after-call-error.*.*", on_end)
