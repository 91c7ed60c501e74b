"""Signatures and paths, beside botocore's own signer and client."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from nwchat.aws.signing import Credentials, Signer, host_header, sha256_hex

MIDNIGHT = 1_700_006_400
URLS = (
    "https://abc.execute-api.us-east-2.amazonaws.com/prod/@connections",
    "https://abc.execute-api.us-east-2.amazonaws.com:443/prod/@connections",
    "https://chat.example/@connections",
    "http://127.0.0.1:4566/_aws/execute-api/a b/x~y/@connections",
    "http://[::1]:8080/p%20q/r+s/@connections/",
)

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30) | st.from_regex(
    r"[A-Za-z0-9=/+%~_.\- ]{1,20}", fullmatch=True
)
names = ids.filter(lambda each: each not in (".", ".."))


def signed_by_botocore(
    method: str, url: str, headers: dict[str, str], data: bytes, credentials: Credentials, second: int
) -> dict[str, str]:
    """The headers that botocore's signer adds, in small letters."""
    request = AWSRequest(method, url, headers, data)
    keys = BotoCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.token or None
    )
    now = datetime.datetime.fromtimestamp(second, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(keys, "execute-api", "us-east-2").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def as_dict(headers: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition(": ") for line in headers)}


@given(
    name=names,
    url=st.sampled_from(URLS),
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    token=st.sampled_from(["", "session/token+=="]),
    data=st.binary(max_size=10),
    second=st.integers(0, 2**32),
    extra=st.sampled_from([{}, {"X-Amz-Target": "DynamoDB_20120810.DeleteItem"}, {"A": " two  words "}]),
)
def test_it_signs_as_botocore_does(
    name: str, url: str, method: str, token: str, data: bytes, second: int, extra: dict[str, str]
) -> None:
    credentials = Credentials("AKID", "secret/+", token)
    signer = Signer(
        method,
        url,
        "us-east-2",
        "execute-api",
        lambda: credentials,
        headers=extra,
        clock=lambda: second + 0.75,
    )
    path, lines = signer.sign(name, sha256_hex(data))
    headers = as_dict(lines)
    whole = f"{signer.scheme}://{signer.host}{path}"
    theirs = signed_by_botocore(method, whole, {**extra, "host": signer.host}, data, credentials, second)
    assert headers["authorization"] == theirs["authorization"]
    assert headers["x-amz-date"] == theirs["x-amz-date"]
    assert headers.get("x-amz-security-token") == theirs.get("x-amz-security-token")


@contextmanager
def botocores_client(url: str) -> Iterator[tuple[Any, list[Any]]]:
    """A client and the requests that it would have sent."""
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=url,
        region_name="us-east-2",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    requests: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        requests.append(request)
        raw = mock.Mock(stream=lambda: iter(()))
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)

    register: Any = client.meta.events.register
    register("before-send.*.*", answer)
    try:
        yield client, requests
    finally:
        client.close()


@settings(deadline=None, max_examples=30)
@given(st.lists(names, min_size=1, max_size=10))
def test_the_path_is_the_one_that_botocores_client_sends(some: list[str]) -> None:
    url = "http://127.0.0.1:4566/_aws/execute-api/api/prod"
    with botocores_client(url) as (client, requests):
        for each in some:
            client.post_to_connection(ConnectionId=each, Data=b"x")
    signer = Signer("POST", f"{url}/@connections", "us-east-2", "execute-api", lambda: Credentials("a", "b"))
    paths = [signer.sign(each, sha256_hex(b"x")).path for each in some]
    assert paths == [urlsplit(request.url).path for request in requests]
    assert all(path.isascii() and " " not in path for path in paths)


@pytest.mark.parametrize(
    ("connection_id", "segment"),
    [
        ("L0SM9cOFvHcCIhw=", "L0SM9cOFvHcCIhw%3D"),
        ("-0SM9cOF-HcCIhw=", "-0SM9cOF-HcCIhw%3D"),
        ("_0SM9cOF_HcCIhw=", "_0SM9cOF_HcCIhw%3D"),
        ("=0SM9cOF=HcCIhw=", "%3D0SM9cOF%3DHcCIhw%3D"),
    ],
)
def test_connection_ids_of_api_gateway_are_percent_encoded(connection_id: str, segment: str) -> None:
    signer = Signer("GET", "https://h/prod/@connections", "r", "execute-api", lambda: Credentials("a", "b"))
    assert signer.sign(connection_id, sha256_hex(b"")).path == f"/prod/@connections/{segment}"


@pytest.mark.parametrize("name", [".", ".."])
def test_what_would_be_another_path_is_refused(name: str) -> None:
    signer = Signer("DELETE", URLS[0], "us-east-2", "execute-api", lambda: Credentials("a", "b"))
    with pytest.raises(ValueError, match="no connection id"):
        signer.sign(name, sha256_hex(b""))


def test_a_lone_surrogate_is_refused() -> None:
    signer = Signer("POST", URLS[0], "us-east-2", "execute-api", lambda: Credentials("a", "b"))
    with pytest.raises(ValueError, match="surrogate"):
        signer.sign("a\ud800", sha256_hex(b""))


class ChangingCredentials:
    """A clock and credentials that change between two calls."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.keys = Credentials("one", "1")
        self.asked = 0

    def clock(self) -> float:
        return self.now

    def credentials(self) -> Credentials:
        self.asked += 1
        return self.keys

    def check(self, signer: Signer) -> None:
        path, lines = signer.sign("id=", sha256_hex(b"x"))
        whole = f"{signer.scheme}://{signer.host}{path}"
        theirs = signed_by_botocore("POST", whole, {"host": signer.host}, b"x", self.keys, int(self.now))
        assert as_dict(lines)["authorization"] == theirs["authorization"]


def test_midnight_and_other_credentials() -> None:
    state = ChangingCredentials(MIDNIGHT - 0.5)
    signer = Signer("POST", URLS[0], "us-east-2", "execute-api", state.credentials, clock=state.clock)
    state.check(signer)
    state.now += 0.5
    state.check(signer)
    state.keys = Credentials("one", "2")
    state.now += 1
    state.check(signer)
    state.keys = Credentials("two", "2", "token")
    signer.renew()
    state.check(signer)
    # A clock that was set back.
    state.now -= 86_400
    state.check(signer)


def test_credentials_are_asked_for_once_a_second() -> None:
    state = ChangingCredentials(MIDNIGHT)
    signer = Signer("POST", URLS[0], "us-east-2", "execute-api", state.credentials, clock=state.clock)
    for step in range(100):
        state.now = MIDNIGHT + step / 40
        signer.sign(str(step), sha256_hex(b""))
    assert state.asked == 3
    signer.renew()
    signer.sign("a", sha256_hex(b""))
    assert state.asked == 4


def test_what_is_signed_holds_no_secret() -> None:
    keys = Credentials("AKID", "secret", "token")
    assert "secret" not in repr(keys)
    assert "token" not in repr(keys).replace("token=", "")
    signer = Signer("POST", URLS[0], "us-east-2", "execute-api", lambda: keys)
    assert not any("secret" in line for line in signer.sign("a", sha256_hex(b"")).headers)


@pytest.mark.parametrize(
    "keys", [Credentials("AK\r\nx: y", "s"), Credentials("ÅK", "s"), Credentials("AK", "s", "to\nken")]
)
def test_credentials_that_fit_no_header_are_none(keys: Credentials) -> None:
    signer = Signer("POST", URLS[0], "us-east-2", "execute-api", lambda: keys)
    with pytest.raises(LookupError, match="credentials"):
        signer.sign("a", sha256_hex(b""))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example/x", "a.example"),
        ("https://a.example:443", "a.example"),
        ("http://a.example:443", "a.example:443"),
        ("http://user:word@a.example:80/", "a.example"),
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("http://[::1]/x", "[::1]"),
    ],
)
def test_the_host_header(url: str, host: str) -> None:
    assert host_header(url) == host
