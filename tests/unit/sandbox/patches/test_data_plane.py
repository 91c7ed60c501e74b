"""Connection ids, and what @connections answers; the limits of running connections are tested in e2e."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from ministack.services import apigateway

from nwchatctl.sandbox import limits
from nwchatctl.sandbox.limits import RuleValues
from nwchatctl.sandbox.middleware import SOCKET, ClientSocket, Message
from nwchatctl.sandbox.patches import data_plane
from nwchatctl.sandbox.throttles import Throttles

ID = "L0SM9cOFvHcCIhw="
GONE = (410, {"x-amzn-ErrorType": "GoneException"}, b"{}")


@pytest.fixture(autouse=True)
def _aws_values() -> Iterator[None]:
    yield
    limits.set_current(RuleValues())


def test_ids_have_the_form_of_aws_and_begin_with_every_kind_of_character() -> None:
    ids = [data_plane.connection_id() for _ in range(400)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{15}=", each) for each in ids)
    assert len(set(ids)) == 400
    assert {"-", "_"} < {each[0] for each in ids}


def in_new_connection(count: int) -> list[str]:
    """What ministack makes of the first UUIDs of a connection: its id, and requests' ids."""

    async def connection() -> list[str]:
        data_plane._connection_id.set(None)
        first, *others = [data_plane.new_uuid() for _ in range(count)]
        return [first.replace("-", "")[:16], *others]

    return asyncio.run(connection())


def test_the_first_uuid_of_a_connection_is_its_id_and_stays_whole() -> None:
    for _ in range(8):
        own_id, request_id = in_new_connection(2)
        assert re.fullmatch(r"[A-Za-z0-9_-]{15}=", own_id)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
    assert re.fullmatch(r"[0-9a-f-]{36}", data_plane.new_uuid()), "outside of a connection"


def test_ids_are_the_emulator_s_when_the_rule_is_off() -> None:
    limits.set_current(RuleValues(chosen={"connection_id_form": None}))
    assert re.fullmatch(r"[0-9a-f]{16}", in_new_connection(1)[0])


def answered(method: str, body: bytes = b"", emulated: Any = GONE) -> tuple[int, Any]:
    async def handle(*_: Any) -> Any:
        return emulated

    async def call() -> Any:
        return await data_plane.with_limits(handle)(method, "api", "production", ID, body, {})

    status, _, data = asyncio.run(call())
    return status, json.loads(data or b"{}")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_connection_is_gone_unless_the_rule_is_off(method: str) -> None:
    assert answered(method)[0] == 410
    limits.set_current(RuleValues(chosen={"connection_gone": None}))
    assert answered(method)[0] == (204 if method == "DELETE" else 200)


@pytest.mark.parametrize(
    ("size", "values", "status"),
    [
        (131_072, {}, 200),
        (131_073, {}, 413),
        (131_073, {"post_payload": None}, 200),
        (5, {"post_payload": 4.0}, 413),
    ],
)
def test_payloads_have_a_largest_size(size: int, values: dict[str, float | None], status: int) -> None:
    limits.set_current(RuleValues(chosen=values))
    assert answered("POST", b"x" * size, (200, {}, b""))[0] == status


EMULATED: Any = (
    200,
    {},
    json.dumps({"ConnectedAt": 1, "Identity": {"sourceIp": "127.0.0.1", "userAgent": "x"}}),
)


def test_connection_has_the_names_of_the_service_model() -> None:
    status, found = answered("GET", b"", EMULATED)
    assert status == 200
    assert set(found) == {"connectedAt", "lastActiveAt", "identity"}
    assert found["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "x"}
    for name in ("connectedAt", "lastActiveAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[name])
    limits.set_current(RuleValues(chosen={"connection_fields": None}))
    assert "ConnectedAt" in answered("GET", b"", EMULATED)[1]


def test_throttled_call_is_limit_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    limits.set_current(RuleValues(chosen={"posts_rate": 1.0, "posts_burst": 2.0}))
    monkeypatch.setattr(data_plane, "_throttles", Throttles())
    found = [answered("GET") for _ in range(3)]
    assert [status for status, _ in found] == [410, 410, 429]
    assert found[-1][1] == {"message": "LimitExceededException"}


def test_error_frame_has_the_form_of_api_gateway_s() -> None:
    frame = json.loads(data_plane.error_frame(ID))
    assert (frame["message"], frame["connectionId"]) == ("Too Many Requests", ID)
    assert set(frame) == {"message", "connectionId", "requestId"}


Invoked = Callable[[str, str], Awaitable[None]]


def run_connection(monkeypatch: pytest.MonkeyPatch, invoked: Invoked, *texts: str) -> None:
    """A connection that sends `texts`, by ministack's own handler. `invoked` is called with the event and the
    connection's id, in place of a function."""

    async def invoke(*arguments: Any, **_: Any) -> dict[str, Any]:
        own_id, event = arguments[5:7]
        await invoked(event, own_id)
        return {"statusCode": 200}

    monkeypatch.setattr(apigateway, "_api_owner", lambda _: ("WEBSOCKET", "000000000000", "us-east-1"))
    monkeypatch.setattr(apigateway, "_match_ws_route", lambda _, key: {"routeKey": key})
    monkeypatch.setattr(apigateway, "_invoke_ws_lambda", invoke)
    monkeypatch.setattr(apigateway, "new_uuid", data_plane.new_uuid)
    inbox: list[Message] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": each} for each in texts),
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> Message:
        return inbox.pop(0)

    async def send(_: Message) -> None: ...

    async def connection() -> None:
        socket = ClientSocket(receive, send)
        scope: Message = {"type": "websocket", "path": "/production", "headers": [], SOCKET: socket}
        handle = data_plane.with_throttling(apigateway.handle_websocket)
        await handle(scope, socket.receive, socket.send, "api")

    asyncio.run(connection())


def test_connection_is_gone_until_connect_has_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[tuple[str, int]] = []
    handle = data_plane.with_limits(apigateway.handle_connections_api)

    async def invoked(event: str, own_id: str) -> None:
        statuses.append((event, (await handle("GET", "api", "production", own_id, b"", {}))[0]))

    run_connection(monkeypatch, invoked, "hi")
    assert statuses == [("CONNECT", 410), ("MESSAGE", 200), ("DISCONNECT", 410)]


def test_all_events_of_a_connection_have_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    now = iter(range(1_790_000_000_000, 1_790_000_900_000, 1000))

    def emulated(*_: Any) -> dict[str, Any]:
        return {"routeKey": "x", "connectedAt": next(now)}

    request_context = data_plane.with_time_of_connection(emulated)

    async def invoked(event: str, own_id: str) -> None:
        times.append(request_context(event, own_id)["connectedAt"])

    run_connection(monkeypatch, invoked, "one", "two")
    assert len(times) == 4
    assert len(set(times)) == 1
    assert times[0] not in range(1_790_000_000_000, 1_790_000_900_000), "not the time of an event"
    assert request_context()["connectedAt"] == 1_790_000_004_000, "outside of a connection"


def test_messages_of_a_deleted_connection_reach_no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    handle = data_plane.with_limits(apigateway.handle_connections_api)

    async def invoked(event: str, own_id: str) -> None:
        events.append(event)
        if event == "MESSAGE":
            assert (await handle("DELETE", "api", "production", own_id, b"", {}))[0] == 204

    run_connection(monkeypatch, invoked, "one", "two", "three")
    assert events == ["CONNECT", "MESSAGE", "DISCONNECT"]
