"""boto3 sessions and clients, created once on first use, with the tool's timeouts and retries."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

from nwchat.aws.idle_connections import drop_idle_connections
from nwchatctl import __version__
from nwchatctl.aws.core.server_clock import ServerDates
from nwchatctl.config.aws_environment import environment_region, mentions_mfa
from nwchatctl.errors import ChatError, Exit
from nwchatctl.net.endpoints import Endpoints
from nwchatctl.net.network import DIRECT, Network

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


def _refuse_mfa(question: str) -> str:
    raise ChatError(
        f"nobody is asked for an MFA code: {question}", code="mfa_required", exit_code=Exit.CONFIG
    )


@dataclass
class Aws:
    """A boto3 session with one client per service, safe to share between threads."""

    access: Access
    trace: Callable[[str], None] | None = None
    """Receives a line for each finished call: service, operation, status, ms, retries; no secrets."""
    dates: ServerDates = field(default_factory=ServerDates)
    """AWS's clock, as the responses to all clients tell it."""
    ask_mfa_code: Callable[[str], str] = field(default=_refuse_mfa, repr=False)
    """Asks the operator for the MFA code of a profile that needs one; called by `sign_in` alone."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _decided: tuple[Network, Endpoints] = field(default=(DIRECT, Endpoints()), repr=False)
    _session: boto3.session.Session | None = field(default=None, repr=False)
    _clients: dict[tuple[str, bool, bool], Any] = field(default_factory=dict, repr=False)

    @property
    def session(self) -> boto3.session.Session:
        """The boto3 session. Raises botocore's ProfileNotFound, and ChatError as `decide_network`."""
        with self._lock:
            if self._session is None:
                # Importing boto3 takes 230 ms: only commands that use AWS import it.
                from nwchatctl.aws.core.boto_session import open_session
                from nwchatctl.aws.core.network import decide_network

                keys = self.access.credentials
                session = open_session(
                    self.access.profile,
                    self.access.region,
                    (keys.access_key_id, keys.secret_access_key) if keys else None,
                    self.ask_mfa_code,
                )
                if not self.access.endpoint:
                    self._decided = decide_network(session._session, os.environ)
                self._session = session
            return self._session

    @property
    def network(self) -> Network:
        """How all clients reach their hosts. Raises as `session`."""
        with self._lock:
            return self._decided[0] if self.session else DIRECT

    @property
    def endpoints(self) -> Endpoints:
        """The endpoints that were configured instead of AWS's. Raises as `session`."""
        with self._lock:
            return self._decided[1] if self.session else Endpoints()

    def sign_in_kind(self) -> tuple[str, str]:
        """How the profile signs in, and the program of its credential_process: as in ErrorContext. Both are
        "" while there is no session. Raises nothing."""
        core: Any = self._session._session if self._session is not None else None
        try:
            return core.sign_in_kind() if core is not None else ("", "")
        except Exception:
            # The configuration cannot be read, which is what the error is about.
            return "", ""

    def sign_in(self) -> None:
        """Retrieves credentials now, in the caller's thread, for a profile that may ask for an MFA code.
        Raises botocore's errors, and those of `ask_mfa_code`."""
        with self._lock:
            if (found := self.session.get_credentials()) is not None:
                found.get_frozen_credentials()

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
        from nwchatctl.aws.core.boto_session import create_client
        from nwchatctl.aws.core.event_handlers import limit_retries, report_calls

        client = create_client(
            self.session,
            service,
            self.access.endpoint or self.endpoints.url(service),
            self.network,
            region_name=region or None,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=self._read_timeout(service, retries, slow),
            max_pool_connections=POOL,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS if retries else 1},
            user_agent_extra=f"nwchatctl/{__version__}",
        )
        client.meta.events.register("needs-retry", limit_retries)
        if not slow:
            # A function may take as long as it likes.
            report_calls(client)
        drop_idle_connections(client)
        self.dates.attach(client)
        if self.trace is not None:
            _trace_calls(client, service, self.trace)
        return client


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


def open_account(
    profile: str,
    region: str,
    environ: Mapping[str, str],
    trace: Callable[[str], None] | None,
    ask_mfa_code: Callable[[str], str],
) -> Aws:
    """AWS itself, with the Region of the environment where `region` is "". A profile that may need an MFA
    code asks for it here, before any thread uses it.

    Raises botocore's errors, and those of `ask_mfa_code`.
    """
    access = Access(profile, region or environment_region(environ))
    aws = Aws(access, trace, ask_mfa_code=ask_mfa_code)
    if mentions_mfa(environ):
        aws.sign_in()
    return aws
