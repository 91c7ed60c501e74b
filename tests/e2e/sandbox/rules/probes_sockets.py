"""Probes of the life of a connection, of @connections, and of the limits of API Gateway's data plane."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from nwchat.aws.signing import Credentials
from nwchat.delivery.targets import ConnectionRequests
from nwchat.model.rows import Recipient
from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.sandbox.rules.registry import SHORTENED, Probe, probe
from tests.e2e.support.sandbox import Sandbox

T = TypeVar("T")

SECONDS = 20.0
"""Timeout of each wait; none takes longer than a second by the rules."""
UNKNOWN_ID = "L0SM9cOFvHcCIhw="
ID_FORM = re.compile(r"[A-Za-z0-9_-]{15}=")
MORE_THAN_THE_BURST = 100
"""Requests at once, of which the shortened buckets of connect_burst and posts_burst accept only a part."""


# A WebSocket API without functions ----------------------------------------------------------------


@dataclass(frozen=True)
class Api:
    """A WebSocket API whose `$default` answers each message with its connection's id."""

    sandbox: Sandbox
    api_id: str
    integration_id: str

    def url(self, stage: str = "live") -> str:
        return self.sandbox.socket_url(self.api_id, stage)

    def management(self) -> Any:
        url = self.url().replace("ws:", "http:")
        return self.sandbox.client("apigatewaymanagementapi", root=True, url=url)


def patiently(call: Callable[..., T], **parameters: Any) -> T:
    """Calls a control plane that may be throttled by other probes."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return call(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "TooManyRequestsException" or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def control_plane(aws: Probe) -> Callable[..., Any]:
    client = aws.client("apigatewayv2")
    return lambda name, **parameters: patiently(getattr(client, name), **parameters)


def api(aws: Probe) -> Api:
    """The API that the probes share, with the stage `live`: creating one takes seconds at AWS's pace."""
    return _make_api(aws.sandbox.endpoint, aws)


@cache
def _make_api(_endpoint: str, aws: Probe) -> Api:
    call = control_plane(aws)
    made = call(
        "create_api", Name=aws.name(), ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
    )["ApiId"]
    integration = call(
        "create_integration",
        ApiId=made,
        IntegrationType="MOCK",
        RequestTemplates={"200": '{"statusCode":200}'},
    )["IntegrationId"]
    call(
        "create_integration_response",
        ApiId=made,
        IntegrationId=integration,
        IntegrationResponseKey="$default",
        ResponseTemplates={"$default": '{"id":"$context.connectionId"}'},
    )
    route = call(
        "create_route",
        ApiId=made,
        RouteKey="$default",
        Target=f"integrations/{integration}",
        RouteResponseSelectionExpression="$default",
    )["RouteId"]
    call("create_route_response", ApiId=made, RouteId=route, RouteResponseKey="$default")
    call("create_stage", ApiId=made, StageName="live", AutoDeploy=True)
    return Api(aws.sandbox, made, integration)


@contextmanager
def client(url: str) -> Iterator[ClientConnection]:
    """A connection, as soon as the stage answers and other probes have not used up the account's limits."""
    deadline = time.monotonic() + SECONDS
    with ExitStack() as stack:
        while True:
            try:
                made = connect(url, proxy=None, max_size=None, close_timeout=1, ping_interval=None)
                break
            except InvalidStatus as error:
                if error.response.status_code not in (403, 404, 429) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield stack.enter_context(made)


def ask(made: ClientConnection, message: Any = "hi") -> dict[str, Any]:
    """The answer to a message."""
    made.send(message)
    answer: dict[str, Any] = json.loads(made.recv(timeout=SECONDS))
    return answer


def close_code(made: ClientConnection, seconds: float = SECONDS) -> int | None:
    """The code with which the connection is closed; None if it gets an answer, or stays open for so long."""
    try:
        made.recv(timeout=seconds)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    except TimeoutError:
        pass
    return None


def statuses(sandbox: Sandbox, requests: list[bytes]) -> list[int]:
    """The HTTP status of each request; all are sent at once, each over a connection of its own."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", sandbox.port), SECONDS))
            for _ in requests
        ]
        for each, request in zip(made, requests, strict=True):
            each.sendall(request)
        return [int(each.recv(64).split(b" ", 2)[1]) for each in made]


def handshakes(made: Api, count: int, stage: str = "live") -> list[int]:
    """The HTTP statuses of so many handshakes at once."""
    path = made.url(stage).partition(f":{made.sandbox.port}")[2]
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{made.sandbox.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return statuses(made.sandbox, ["\r\n".join([*lines, "", ""]).encode()] * count)


def gets(made: Api, count: int) -> list[int]:
    """The HTTP statuses of so many calls of GetConnection at once."""
    key = made.sandbox.root_key
    credentials = Credentials(key.access_key_id, key.secret_access_key)
    requests = ConnectionRequests(
        "GET", made.url().replace("ws:", "http:"), DEFAULT_REGION, lambda: credentials
    )
    signed, _ = requests.request(Recipient(UNKNOWN_ID))
    lines = [f"GET {signed.path} HTTP/1.1", f"Host: {requests.host}", *signed.headers, "Connection: close"]
    return statuses(made.sandbox, ["\r\n".join([*lines, "", ""]).encode()] * count)


def is_limited(rule: str, request: Callable[[], list[int]]) -> bool:
    """Whether of many requests no more are accepted than the shortened values of a rate and a burst allow."""
    rate, burst = SHORTENED[f"{rule}_rate"] or 0.0, SHORTENED[f"{rule}_burst"] or 0.0
    started = time.monotonic()
    found = request()
    accepted = len(found) - found.count(429)
    # Where everything is accepted, a busy machine may have taken as long as the rate allows.
    return 0 < accepted < len(found) and accepted <= burst + rate * (time.monotonic() - started) + 1


def until_refilled(is_accepted: Callable[[], bool]) -> bool:
    """Whether a bucket refills; leaves some tokens to the next probe."""
    deadline = time.monotonic() + SECONDS
    while not (accepted := is_accepted()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    return accepted


# The life of a connection -------------------------------------------------------------------------


@probe("idle_timeout")
def idle_connection_is_closed(aws: Probe) -> bool:
    # Twice: on a busy machine the end of connection_lifetime may be seen together with this one.
    return any(_is_idle_closed(aws) for _ in range(2))


def _is_idle_closed(aws: Probe) -> bool:
    with client(api(aws).url()) as made:
        started = time.monotonic()
        return close_code(made, 0.9) == 1001 and time.monotonic() - started < 0.75


@probe("connection_lifetime")
def old_connection_is_closed(aws: Probe) -> bool:
    with client(api(aws).url()) as made:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            try:
                ask(made)
            except ConnectionClosed as closed:
                return closed.rcvd is not None and closed.rcvd.code == 1001
            time.sleep(0.15)
    return False


@probe("frame_size")
def large_frame_closes_the_connection(aws: Probe) -> bool:
    with client(api(aws).url()) as made:
        made.send("x" * 32_769)
        return close_code(made) == 1009


@probe("message_size")
def large_message_closes_the_connection(aws: Probe) -> bool:
    with client(api(aws).url()) as made:
        made.send(["x" * 32_768] * 4 + ["x"])
        return close_code(made) == 1009


@probe("binary_frames")
def binary_frame_closes_the_connection(aws: Probe) -> bool:
    with client(api(aws).url()) as made:
        made.send(b"\x00\x01")
        return close_code(made) == 1003


# Limits -------------------------------------------------------------------------------------------


@probe("connect_burst")
def connections_at_once_are_limited(aws: Probe) -> bool:
    made = api(aws)
    limited = is_limited("connect", lambda: handshakes(made, MORE_THAN_THE_BURST))
    until_refilled(lambda: True)
    return limited


@probe("connect_rate")
def connections_are_accepted_at_a_rate(aws: Probe) -> bool:
    made = api(aws)
    limited = is_limited("connect", lambda: handshakes(made, MORE_THAN_THE_BURST))
    return limited and until_refilled(lambda: handshakes(made, 1) == [101])


@probe("posts_burst")
def requests_at_once_are_limited(aws: Probe) -> bool:
    made = api(aws)
    limited = is_limited("posts", lambda: gets(made, MORE_THAN_THE_BURST))
    until_refilled(lambda: True)
    return limited


@probe("posts_rate")
def requests_are_accepted_at_a_rate(aws: Probe) -> bool:
    made = api(aws)
    limited = is_limited("posts", lambda: gets(made, MORE_THAN_THE_BURST))
    return limited and until_refilled(lambda: gets(made, 1) != [429])


@probe("stage_throttling")
def stage_limits_connections_and_messages(aws: Probe) -> bool:
    made, stage = api(aws), aws.name()
    control_plane(aws)(
        "create_stage",
        ApiId=made.api_id,
        StageName=stage,
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 1},
    )
    with client(made.url(stage)) as one:
        answer = ask(one)
        return answer.get("message") == "Too Many Requests" and handshakes(made, 1, stage) == [429]


# @connections -------------------------------------------------------------------------------------


@probe("connection_id_form")
def ids_are_base64(aws: Probe) -> bool:
    made = api(aws)
    found = []
    for _ in range(4):
        with client(made.url()) as one:
            found.append(ask(one)["id"])
    return all(map(ID_FORM.fullmatch, found)) and {"-", "_"} <= {each[0] for each in found}


@probe("connection_fields")
def connection_has_the_fields_of_the_model(aws: Probe) -> bool:
    made = api(aws)
    with client(made.url()) as one:
        found = made.management().get_connection(ConnectionId=ask(one)["id"])
    if not {"ConnectedAt", "LastActiveAt", "Identity"} <= set(found):
        return False
    identity = found["Identity"]
    return bool(found["ConnectedAt"] <= found["LastActiveAt"] and identity["SourceIp"] == "127.0.0.1")


@probe("connection_gone")
def closed_connection_is_gone(aws: Probe) -> bool:
    management, found = api(aws).management(), []
    for name, more in (
        ("get_connection", {}),
        ("delete_connection", {}),
        ("post_to_connection", {"Data": b"x"}),
    ):
        try:
            patiently(getattr(management, name), ConnectionId=UNKNOWN_ID, **more)
        except management.exceptions.GoneException:
            found.append(name)
    return len(found) == 3


@probe("post_payload")
def large_payload_is_refused(aws: Probe) -> bool:
    made = api(aws)
    management = made.management()
    with client(made.url()) as one:
        own_id = ask(one)["id"]
        management.post_to_connection(ConnectionId=own_id, Data=b"x" * 131_072)
        try:
            management.post_to_connection(ConnectionId=own_id, Data=b"x" * 131_073)
        except management.exceptions.PayloadTooLargeException:
            return True
    return False
