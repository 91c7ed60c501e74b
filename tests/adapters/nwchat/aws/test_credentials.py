"""Credentials from the environment, and from the endpoint that Lambda has for functions with SnapStart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from nwchat.aws.credentials import REFRESH_SECONDS, NoCredentials, credential_source
from nwchat.aws.signing import Credentials
from tests.adapters.nwchat.delivery.scripted_server import Peer, Stub

Serve = Callable[..., Stub]
NOW = 1_782_864_000.0
"""2026-07-01T00:00:00Z, in summer."""
HOUR = "2026-07-01T01:00:00Z"
KEYS = {"AccessKeyId": "AK", "SecretAccessKey": "the secret", "Token": "token"}
FOUND = Credentials("AK", "the secret", "token")


def response(fields: object, status: str = "200 OK") -> bytes:
    body = json.dumps(fields).encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def environment(stub: Stub) -> dict[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url.replace("/prod", "/2021-04-23/credentials"),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in",
    }


def test_credentials_of_the_environment() -> None:
    env = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "the secret"}
    credentials = credential_source(env)
    assert credentials() == Credentials("AK", "the secret")
    env["AWS_SESSION_TOKEN"] = "token"
    assert credentials() == FOUND


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"AWS_ACCESS_KEY_ID": "AK"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1.example/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "ftp://127.0.0.1/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x\r\nevil: 1"},
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb",
        },
    ],
)
def test_without_credentials_there_is_an_error(env: dict[str, str]) -> None:
    with pytest.raises(NoCredentials):
        credential_source(env)()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_credentials_of_the_endpoint_are_renewed_before_they_expire(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    expiries = iter((HOUR, "2026-07-01T02:00:00Z", "2026-07-03T00:00:00Z"))

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(response({**KEYS, "Expiration": next(expiries)}))

    try:
        stub, clock = serve(script), Clock()
        credentials = credential_source(environment(stub), clock)
        assert [credentials(), credentials()] == [FOUND, FOUND]
        clock.now = NOW + 3600 - REFRESH_SECONDS - 1
        assert (credentials(), len(stub.requests)) == (FOUND, 1)
        clock.now += 2
        assert (credentials(), len(stub.requests)) == (FOUND, 2)
        # A snapshot that is restored later.
        clock.now = NOW + 86_400
        assert (credentials(), len(stub.requests)) == (FOUND, 3)
    finally:
        monkeypatch.undo()
        time.tzset()
    lines = stub.requests[0].head.split("\r\n")
    assert lines[0] == "GET /2021-04-23/credentials HTTP/1.1"
    assert "authorization: let me in" in lines


def test_failed_renewal_keeps_the_credentials_until_they_expire(serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(
            response({**KEYS, "Expiration": HOUR}) if peer.number == 0 else response({}, "500 Internal error")
        )

    stub, clock = serve(script), Clock()
    credentials = credential_source(environment(stub), clock)
    credentials()
    clock.now = NOW + 3599
    assert credentials() == FOUND
    clock.now = NOW + 3600
    with pytest.raises(NoCredentials):
        credentials()
    assert len(stub.requests) == 1 + 2 * 3


@pytest.mark.parametrize(
    "fields",
    [
        "the secret",
        {**KEYS},
        {**KEYS, "Expiration": "the secret"},
        {**KEYS, "Expiration": 5},
        {**KEYS, "Expiration": HOUR, "Token": None},
        {"Expiration": HOUR, "AccessKeyId": "AK", "SecretAccessKey": "the secret"},
    ],
)
def test_error_does_not_quote_what_the_endpoint_returned(serve: Serve, fields: object) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(response(fields))

    with pytest.raises(NoCredentials) as caught:
        credential_source(environment(serve(script)), Clock())()
    assert "secret" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
