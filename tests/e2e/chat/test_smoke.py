"""`smoke` says whether the chat works, and which step does not; and no log has what people said."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nwchatctl.aws.awslambda.invoke import invoke
from tests.e2e.support.chat import Chat, gather, unique

STEPS = ["connect", "ping", "send", "ack", "echo", "history", "close", "health", "messages"]


def test_a_chat_that_works(chat: Chat) -> None:
    done = chat.json("smoke")
    assert set(done) >= {"url", "ok", "steps"}
    assert (done["url"], done["ok"]) == (chat.url, True)
    assert [each["name"] for each in done["steps"]] == STEPS
    for each in done["steps"]:
        assert set(each) >= {"name", "ok", "ms", "detail"}
        assert each["ok"] is True
        assert 0 <= each["ms"] < 20_000
    shown = chat.nwchatctl("smoke")
    assert (shown.code, shown.err) == (0, "")
    assert [line.split("\t")[:2] for line in shown.out.splitlines()] == [[name, "ok"] for name in STEPS]


def test_proxy_is_not_used_for_localhost(chat: Chat) -> None:
    nowhere = "http://127.0.0.1:1"
    done = chat.nwchatctl("smoke", http_proxy=nowhere, https_proxy=nowhere, all_proxy=nowhere, no_proxy="")
    assert (done.code, done.err) == (0, "")


@contextmanager
def released(chat: Chat, kind: str, code: str) -> Iterator[None]:
    """Within, the function runs this code instead of its own, in the way of a release."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("nwchat/__init__.py", "")
        file.writestr(f"nwchat/{kind}.py", code)
    functions, name = chat.functions, chat.function(kind)
    good = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    functions.update_function_code(FunctionName=name, ZipFile=archive.getvalue())
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    broken = functions.publish_version(FunctionName=name)["Version"]
    assert broken != good
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=broken)
    try:
        yield
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=good)


@pytest.mark.parametrize(
    ("kind", "code", "step", "detail"),
    [
        (
            "message",
            "def handler(event, context): raise ValueError('broken')",
            "ack",
            "Internal server error",
        ),
        ("message", "import no_such_module", "ack", "Internal server error"),
        ("connect", "def handler(event, context): return {'statusCode': 403}", "connect", "HTTP 403"),
    ],
)
def test_a_broken_release_is_named_by_its_step(
    chat: Chat, kind: str, code: str, step: str, detail: str
) -> None:
    with released(chat, kind, code):
        done = chat.nwchatctl("smoke", "--json")
    assert done.code == 1
    assert done.data["ok"] is False
    *before, failed = done.data["steps"]
    assert [each["name"] for each in before] == STEPS[: STEPS.index(step)]
    assert all(each["ok"] for each in before)
    assert (failed["name"], failed["ok"]) == (step, False)
    assert detail in failed["detail"]
    error = json.loads(done.err)["error"]
    assert (error["code"], error["message"]) == ("smoke_failed", f"{step} failed: {failed['detail']}")
    assert "nwchatctl status" in error["hint"]
    with chat.players() as (one, other):
        assert gather(one, other) == [[], []], "and it works again"


def test_missing_chat_is_reported(chat: Chat) -> None:
    done = chat.nwchatctl("smoke", "--json", NWCHAT_CHAT__NAME="nobody-made-it")
    assert (done.code, done.out) == (4, "")
    assert json.loads(done.err)["error"]["code"] == "not_deployed"


# Logs -----------------------------------------------------------------------------------------


def test_logs_contain_no_messages(chat: Chat) -> None:
    canary = unique("canary").replace(" ", "-")
    frame = {"message": canary, "uname": canary, "sender_id": canary, "client_id": canary}
    bodies: list[str] = [
        json.dumps(frame),
        json.dumps(frame),
        canary,
        json.dumps(frame | {"message": canary * 100}),
        json.dumps(frame | {"message": [canary]}),
        json.dumps({"action": canary}),
        json.dumps({"action": "history", "before": canary}),
    ]
    logged: list[dict[str, object]] = []
    for body in bodies:
        event = {"body": body, "requestContext": {"connectionId": "nobody", "connectedAt": 1}}
        done = invoke(chat.functions, chat.function("message"), json.dumps(event).encode())
        assert (done.payload, done.error) == (b'{"statusCode": 200}', "")
        assert canary not in done.log
        logged += [json.loads(line) for line in done.log.splitlines() if line.startswith("{")]
    chat.delete_connections("nobody")
    # It did log, in JSON, and whose it was.
    assert {line["message"] for line in logged} >= {"sent", "sent before", "refused", "reply not delivered"}
    for line in logged:
        assert line["connection_id"] == "nobody"
        assert line["request_id"]
    with chat.players() as (one, other):
        for body in bodies[:4]:
            one.send(body)
        other.receive_text(canary)
        gather(other, one)
    # The sandbox's own log, and what it has for CloudWatch.
    assert canary not in chat.sandbox.state.log.read_text()
    logs = chat.sandbox.client("logs", root=True)
    group = f"/aws/lambda/{chat.function('message')}"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    events = [event["message"] for page in pages for event in page["events"]]
    assert any('"message":"sent"' in event for event in events)
    assert not [event for event in events if canary in event]
