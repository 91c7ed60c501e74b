"""The functions' clients against a server that does what a test says."""

from __future__ import annotations

import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nwchat.aws import http_client
from nwchat.aws.endpoints import AwsEndpoint
from nwchat.aws.errors import AwsCallFailed, AwsError
from nwchat.aws.http_client import HttpTimeouts
from nwchat.aws.idle_connections import MAX_IDLE_SECONDS
from nwchat.aws.service_client import CallPolicy
from nwchat.aws.signing import Credentials
from nwchat.aws.tls import client_context
from nwchat.large_rooms.lambda_client import LambdaInvoker
from nwchat.storage.dynamodb_client import DynamoDbClient
from tests.adapters.nwchat.delivery.scripted_server import Authority, Peer, Stub

Serve = Callable[..., Stub]
Script = Callable[[Peer], None]

PERSONAL = "the secret words"
PAUSES = [0.2, 0.4, 0.8]
ERROR = "com.amazonaws.dynamodb.v20120810#"


def answer(fields: object, status: str = "200 OK", *headers: str) -> bytes:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


def error(code: str, status: str = "400 Bad Request", **fields: object) -> bytes:
    return answer({"__type": ERROR + code, "message": PERSONAL, **fields}, status)


OK = answer({"Items": []})


def in_turn(*answers: bytes) -> Script:
    """A server that gives these answers, one after the other, whatever the connection."""
    left, lock = list(answers), threading.Lock()

    def script(peer: Peer) -> None:
        while peer.request():
            with lock:
                data = left.pop(0)
            peer.send(data)

    return script


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Connected:
    """A client of a stub, and the pauses before its retries."""

    def __init__(self, stub: Stub, *, attempts: int = 4, read: float = 20.0, tls: Any = None) -> None:
        self.pauses: list[float] = []
        policy = CallPolicy(attempts, HttpTimeouts(5.0, read), self.pauses.append, lambda: 1.0)
        endpoint = AwsEndpoint(stub.url.removesuffix("/prod"), "us-east-2")
        self.client = DynamoDbClient(endpoint, lambda: Credentials("AK", "secret"), lambda: tls, policy)
        self.stub = stub

    def scan(self) -> dict[str, Any]:
        return self.client.scan(TableName="t")

    def failure(self) -> AwsCallFailed:
        with pytest.raises(AwsCallFailed) as caught:
            self.scan()
        assert PERSONAL not in f"{caught.value!r}{caught.value}"
        return caught.value


@pytest.fixture
def connect(serve: Serve) -> Iterator[Callable[..., Connected]]:
    made: list[Connected] = []

    def make(script: Script, **options: Any) -> Connected:
        made.append(Connected(serve(script), **options))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


Connect = Callable[..., Connected]


# Requests and responses -------------------------------------------------------------------------


def test_calls_use_one_connection(connect: Connect) -> None:
    chat = connect(in_turn(OK, OK, OK))
    assert [chat.scan() for _ in range(3)] == [{"Items": []}] * 3
    assert chat.stub.connections == 1
    request = chat.stub.requests[0]
    assert json.loads(request.body) == {"TableName": "t"}
    lines = request.head.lower().split("\r\n")
    assert lines[0] == "post / http/1.1"
    assert {"x-amz-target: dynamodb_20120810.scan", "content-type: application/x-amz-json-1.0"} <= set(lines)
    assert f"host: 127.0.0.1:{chat.stub.port}" in lines


def test_texts_arrive_as_they_are(connect: Connect) -> None:
    items = {"Items": [{"id": {"S": "ü \u2028 \U0001f427"}, "n": {"N": "1.50"}}]}
    assert connect(in_turn(answer(items))).scan() == items


CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3;x=y\r\n 1}\r\n0\r\n\r\n'


@pytest.mark.parametrize(
    "data",
    [
        answer({"a": 1}),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer({"a": 1}),
        CHUNKED,
        b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}',
        b'HTTP/1.0 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}',
    ],
    ids=["length", "interim", "chunked", "until closed", "1.0"],
)
@pytest.mark.parametrize("dribble", [False, True])
def test_every_framing_of_a_response_is_read(connect: Connect, data: bytes, dribble: bool) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        (peer.dribble if dribble else peer.send)(data)

    assert connect(script).scan() == {"a": 1}


def test_large_page_is_read(connect: Connect) -> None:
    items = {"Items": [{"id": {"S": "x" * 1000}}] * 3000}
    assert connect(in_turn(answer(items))).scan() == items


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"SSH-2.0 who are you\r\n\r\n",
        answer({}, "200 OK", "x-amz-crc32: 1"),
        b"",
    ],
)
def test_incomplete_response_is_a_failure_that_is_repeated(connect: Connect, data: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data if peer.number < 3 else OK)

    chat = connect(script)
    assert (chat.scan(), chat.pauses, chat.stub.connections) == ({"Items": []}, PAUSES, 4)


@pytest.mark.parametrize("body", [f"<html>{PERSONAL}</html>".encode(), b"[1]", b"", b"[" * 100_000])
def test_success_without_json_is_a_failure(connect: Connect, body: bytes) -> None:
    """The page of a proxy: a repetition would change nothing."""
    chat = connect(in_turn(answer(body)))
    assert (str(chat.failure()), chat.pauses) == ("no JSON", [])


def test_too_large_response_is_refused(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 1000)
    large = answer({"x": "y" * 2000})
    chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + b"x" * 2000

    def script(peer: Peer) -> None:
        peer.request()
        peer.send([large, chunk, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000][peer.number])
        peer.hold()

    chat = connect(script, attempts=1)
    assert [str(chat.failure()) for _ in range(3)] == ["the response is too large"] * 3


def test_checksum_of_dynamodb_is_checked(connect: Connect) -> None:
    right = answer(b"{}", "200 OK", f"X-Amz-Crc32: {zlib.crc32(b'{}')}")
    chat = connect(in_turn(answer(b"{}", "200 OK", "x-amz-crc32: 12"), right))
    assert (chat.scan(), chat.pauses) == ({}, [0.2])


def test_many_threads_get_their_own_responses(connect: Connect) -> None:
    def script(peer: Peer) -> None:
        while request := peer.request():
            peer.send(answer({"name": json.loads(request.body)["TableName"]}))

    chat = connect(script)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: chat.client.scan(TableName=str(n))["name"], range(200)))
    assert found == [str(each) for each in range(200)]
    assert chat.stub.connections <= 8


# Kept connections -------------------------------------------------------------------------------


def test_connection_that_the_server_closed_is_not_used_again(connect: Connect) -> None:
    closed = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer._sock.shutdown(2)
        closed.release()

    chat = connect(script)
    for _ in range(3):
        chat.scan()
        assert closed.acquire(timeout=20)
    assert (chat.stub.connections, len(chat.stub.requests), chat.pauses) == (3, 3, [])


@pytest.mark.parametrize("reset", [False, True])
def test_request_that_meets_the_end_of_a_kept_connection_is_sent_again(connect: Connect, reset: bool) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        if peer.request() and peer.number == 0:
            if reset:
                peer.reset()
            return
        peer.send(OK)

    chat = connect(script)
    assert [chat.scan() for _ in range(2)] == [{"Items": []}] * 2
    assert (chat.stub.connections, chat.pauses) == (2, [])


def test_end_of_a_new_connection_is_a_failure_with_a_pause(connect: Connect) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if peer.number == 2:
            peer.send(OK)

    chat = connect(script)
    assert (chat.scan(), chat.pauses) == ({"Items": []}, [0.2, 0.4])


def test_unexpected_data_on_a_kept_connection_is_not_taken_for_a_response(connect: Connect) -> None:
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.send(answer({"Items": ["of another"]}))
        sent.set()
        peer.hold()

    chat = connect(script)
    for _ in range(2):
        assert chat.scan() == {"Items": []}
        assert sent.wait(20)
        sent.clear()


@pytest.mark.parametrize(
    ("idle", "connections"), [(MAX_IDLE_SECONDS, 1), (MAX_IDLE_SECONDS + 1, 2), (-1.0, 2)]
)
def test_connection_idle_for_long_is_dropped(connect: Connect, idle: float, connections: int) -> None:
    """A function may have been frozen meanwhile."""
    chat, clock = connect(in_turn(OK, OK)), Clock()
    chat.client._http._wall_clock = clock
    chat.scan()
    clock.now += idle
    chat.scan()
    assert chat.stub.connections == connections


# Errors and retries -----------------------------------------------------------------------------


BUSY = answer({"message": "slow"}, "429 Busy", "x-amzn-ErrorType: TooManyRequestsException:http://x")
EXPIRED = answer({"__type": "InvalidSignatureException", "message": "Signature expired: 2026"}, "403 No")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (error("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
        (error("ThrottlingException"), "ThrottlingException"),
        (error("RequestLimitExceeded"), "RequestLimitExceeded"),
        (error("InternalServerError", "500 Oh"), "InternalServerError"),
        (answer(b"<html>Bad gateway</html>", "502 Bad Gateway"), "502"),
        (answer(b"", "503 Busy"), "503"),
        (
            BUSY,
            "TooManyRequestsException",
        ),
        (
            EXPIRED,
            "InvalidSignatureException",
        ),
    ],
)
def test_transient_errors_are_repeated_within_bounds(connect: Connect, data: bytes, code: str) -> None:
    chat = connect(in_turn(data, data, data, OK))
    assert (chat.scan(), chat.pauses) == ({"Items": []}, PAUSES)
    chat = connect(in_turn(*[data] * 4))
    found = chat.failure()
    assert isinstance(found, AwsError)
    assert (found.response["Error"]["Code"], found.operation_name) == (code, "Scan")
    assert (chat.pauses, len(chat.stub.requests)) == (PAUSES, 4)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (error("ValidationException"), "ValidationException"),
        (error("ConditionalCheckFailedException"), "ConditionalCheckFailedException"),
        (error("TransactionConflictException"), "TransactionConflictException"),
        (error("ExpiredTokenException"), "ExpiredTokenException"),
        (answer({"__type": [1]}, "400 No"), "[1]"),
        (answer(b"<html>" + PERSONAL.encode(), "403 Forbidden"), "403"),
        (answer(b"[]", "301 Moved", "Location: http://elsewhere"), "301"),
    ],
)
def test_other_errors_are_raised_at_once(connect: Connect, data: bytes, code: str) -> None:
    chat = connect(in_turn(data))
    found = chat.failure()
    assert isinstance(found, AwsError)
    assert (found.response["Error"]["Code"], chat.pauses) == (code, [])


def test_fields_of_an_error_are_kept(connect: Connect) -> None:
    reasons = [{"Code": "ConditionalCheckFailed", "Item": {"id": {"S": "1"}}}, {"Code": "None"}]
    chat = connect(
        in_turn(
            error("TransactionCanceledException", CancellationReasons=reasons),
            error("ConditionalCheckFailedException", Item={"id": {"S": "2"}}),
        )
    )
    with pytest.raises(chat.client.exceptions.TransactionCanceledException) as cancelled:
        chat.client.transact_write_items(TransactItems=[])
    assert cancelled.value.response["CancellationReasons"] == reasons
    with pytest.raises(chat.client.exceptions.ConditionalCheckFailedException) as failed:
        chat.client.put_item(TableName="t", Item={})
    assert failed.value.response["Item"] == {"id": {"S": "2"}}


def test_all_attempts_of_a_transaction_have_one_token(connect: Connect) -> None:
    """So that DynamoDB does once what it had done before its answer was lost."""

    def script(peer: Peer) -> None:
        while peer.request():
            if peer.number == 0:
                return
            peer.send(answer({}))

    chat = connect(script)
    for _ in range(2):
        chat.client.transact_write_items(TransactItems=[])
    tokens = [json.loads(each.body)["ClientRequestToken"] for each in chat.stub.requests]
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in tokens)


def test_silence_ends_within_the_timeout(connect: Connect) -> None:
    chat = connect(lambda peer: peer.hold(), attempts=2, read=0.05)
    assert str(chat.failure()) == "TimeoutError"
    assert chat.stub.connections == 2


def test_slow_response_ends_within_three_timeouts(connect: Connect) -> None:
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not done.wait(0.02):
            peer.send(b"x")

    chat = connect(script, attempts=1, read=0.1)
    try:
        assert str(chat.failure()) == "TimeoutError"
    finally:
        done.set()


def test_refused_connection_is_a_failure(serve: Serve) -> None:
    stub = serve(lambda peer: None)
    chat = Connected(stub)
    stub.close()
    assert str(chat.failure()) == "not connected: ConnectionRefusedError"
    assert chat.pauses == PAUSES


def test_certificates_are_verified(serve: Serve, authority: Authority) -> None:
    stub = serve(in_turn(OK), authority.context)
    trusting = Connected(stub, tls=client_context(authority.ca))
    assert trusting.scan() == {"Items": []}
    trusting.client.close()
    refused = Connected(stub, tls=client_context(), attempts=1).failure()
    assert str(refused).startswith("not connected: SSLCertVerificationError: ")
    assert len(stub.requests) == 1


# Lambda -----------------------------------------------------------------------------------------


def test_invocation_is_asynchronous_and_counted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2;Parent=3;Lineage=a:1")
    stub = serve(in_turn(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"))
    endpoint = AwsEndpoint(stub.url.removesuffix("/prod"), "us-east-2")
    client = LambdaInvoker(endpoint, lambda: Credentials("AK", "secret"), client_context)
    payload = "ü".encode()
    response = client.invoke(FunctionName="f:live", InvocationType="Event", Payload=payload)
    client.close()
    assert response == {"StatusCode": 202}
    (request,) = stub.requests
    assert request.body == payload
    lines = request.head.split("\r\n")
    assert lines[0] == "POST /2015-03-31/functions/f%3Alive/invocations HTTP/1.1"
    assert {"x-amz-invocation-type: Event", "x-amzn-trace-id: Root=1-2;Parent=3;Lineage=a:1"} <= set(lines)
