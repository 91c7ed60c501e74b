"""What clients see of a function beyond its limits."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.support.sandbox import Sandbox, echo_chat


def test_throttled_function_answers_messages_with_an_error_and_handshakes_with_500(sandbox: Sandbox) -> None:
    api_id = echo_chat(sandbox, "echo-throttled")
    url, functions = sandbox.socket_url(api_id), sandbox.client("lambda", root=True)
    with connect(url, proxy=None) as socket:
        functions.put_function_concurrency(FunctionName="echo-throttled", ReservedConcurrentExecutions=0)
        socket.send("hi")
        answer = json.loads(socket.recv(timeout=60))
        with pytest.raises(InvalidStatus) as refused:
            connect(url, proxy=None)
        functions.delete_function_concurrency(FunctionName="echo-throttled")
    assert answer["message"] == "Internal server error"
    assert set(answer) == {"message", "connectionId", "requestId"}
    assert refused.value.response.status_code == 500
