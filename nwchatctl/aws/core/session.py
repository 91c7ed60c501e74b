"""boto3 sessions and clients: made late, made once, with timeouts and retries of our choosing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, overload

from nwchatctl import __version__

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
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
"""Seconds. No call of the control plane takes that long; one that hangs must not hold a deploy."""

SLOW_READ_TIMEOUT = 930
"""Seconds. A Lambda may run for 900 (`fanout.timeout_seconds`), and `invoke` waits for it: a call that is
given up earlier is sent again, and runs twice."""

ATTEMPTS = 8
"""Of each call, throttling and 5xx included: API Gateway's control plane allows 10 requests a second."""

UNANSWERED = 4
"""Attempts of a call that nobody answers: some seconds, where all of ATTEMPTS would be a minute and more."""

POOL = 32
"""Connections that a client keeps, so that parallel reads and posts do not queue or reconnect."""


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Keys given outright, instead of boto3's own chain."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How AWS is reached: boto3's profile and region ("" for its own choice), or the sandbox's endpoint."""

    profile: str = ""
    region: str = ""
    endpoint: str = ""
    credentials: StaticCredentials | None = None
    read_timeout: float = READ_TIMEOUT


@dataclass
class Aws:
    """A boto3 session with one client a service, safe to share between threads."""

    access: Access
    trace: Callable[[str], None] | None = None
    """Given a line for each call that ended: service, operation, status, ms, retries; nothing secret."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _session: boto3.session.Session | None = field(default=None, repr=False)
    _clients: dict[tuple[str, str, bool, bool], Any] = field(default_factory=dict, repr=False)

    @property
    def session(self) -> boto3.session.Session:
        """The boto3 session. Raises botocore's ProfileNotFound."""
        with self._lock:
            if self._session is None:
                # Importing boto3 costs 230 ms: only a command that needs AWS pays for it.
                import boto3
                import botocore.session

                from nwchatctl.aws.core.service_models import ServiceModels

                keys = self.access.credentials
                # Keys given outright need no profile, not even AWS_PROFILE's, which may not exist.
                bare = {"profile": (None, None, None, None)} if keys else None
                core = botocore.session.Session(session_vars=bare)
                core.register_component("data_loader", ServiceModels())
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
    @overload
    def client(
        self, service: Literal["apigatewaymanagementapi"], url: str
    ) -> ApiGatewayManagementApiClient: ...
    def client(self, service: str, url: str = "", *, retries: bool = True, slow: bool = False) -> Any:
        """The client of `service`, at `url` where the service has one of its own.

        Without `retries` each call is sent once: for what must not be done twice. A `slow` one waits for
        its answers as long as a function may run.
        """
        # Posting has a policy of its own (nwchat.delivery.poster), which botocore's retries would multiply.
        wanted = (service, url, retries and not url, slow)
        with self._lock:
            if wanted not in self._clients:
                self._clients[wanted] = self._make(*wanted)
            return self._clients[wanted]

    def prepare(self, *services: Any) -> None:
        """Makes clients in the background, to use the time in which somebody waits for AWS. What goes wrong
        there goes wrong again, and is heard, where the client is wanted."""

        def make() -> None:
            with suppress(Exception):
                for each in services:
                    self.client(each)

        threading.Thread(target=make, name="prepare", daemon=True).start()

    def _make(self, service: str, url: str, retries: bool, slow: bool) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=SLOW_READ_TIMEOUT if slow else self.access.read_timeout,
            max_pool_connections=POOL,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS if retries else 1},
            user_agent_extra=f"nwchatctl/{__version__}",
            # The sandbox is on this machine, whatever proxy leads out of it.
            proxies={} if self.access.endpoint else None,
        )
        # boto3's own type wants a literal name for each service.
        make: Any = self.session.client
        client = make(service, endpoint_url=url or self.access.endpoint or None, config=config)
        client.meta.events.register("needs-retry", _limit_retries)
        if self.trace is not None:
            _trace_calls(client, service, self.trace)
        return client


def _limit_retries(
    attempts: int, response: Any, operation: Any, caught_exception: Exception | None, **_: object
) -> None:
    """Ends the retries of a call that had UNANSWERED attempts without an answer, and of any once the process
    has been told to stop. botocore knows one limit for calls without an answer and for throttling, which is
    worth more of them.

    An answer that was cut off among its headers is none; http.client takes it for a whole one without a body.
    """
    from botocore.exceptions import ClientError, ConnectionClosedError

    from nwchatctl.aws.core.retry import is_stopped

    if caught_exception is not None:
        if attempts >= UNANSWERED or is_stopped():
            raise caught_exception
        return
    http_response, parsed = response
    if not _is_complete(http_response):
        raise ConnectionClosedError(endpoint_url=http_response.url)
    if is_stopped() and http_response.status_code >= HTTPStatus.BAD_REQUEST:
        raise ClientError(parsed, operation.name)


def _is_complete(response: Any) -> bool:
    """Whether the headers say how long the body is, or there is one that ends with its connection."""
    length = response.headers.get("Content-Length") or response.headers.get("Transfer-Encoding")
    return response.status_code == HTTPStatus.NO_CONTENT or bool(length or response.content)


def _trace_calls(client: Any, service: str, trace: Callable[[str], None]) -> None:
    """Has botocore tell `trace` of every call; the request's own context carries the time between events."""

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
