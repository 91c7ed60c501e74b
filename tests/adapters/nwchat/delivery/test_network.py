"""Every client of the tool dials alike: certificates by each variable, and through a CONNECT proxy."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import SSLError

from nwchatctl.aws.core.session import Access, Aws, StaticCredentials
from nwchatctl.chat.smoke_test import smoke
from nwchatctl.net.network import DIRECT, Network
from nwchatctl.net.proxies import Proxies, UnsupportedProxy
from nwchatctl.net.websocket_client import WebSocket
from tests.adapters.nwchat.delivery.every_client import OPERATORS, Client
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub

Serve = Callable[..., Stub]
VARIABLES = (
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    *("https_proxy", "http_proxy", "no_proxy", "ALL_PROXY", "all_proxy", "AWS_PROFILE"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ENDPOINT_URL"),
)


@pytest.fixture(params=OPERATORS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Client:
    client: Client = request.param
    return client


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }.items():
        monkeypatch.setenv(name, value)


def answering(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


class ConnectProxy:
    """An HTTP proxy that answers CONNECT so, and opens the tunnel if that is a 200."""

    def __init__(self, status: str = "200 Connection established") -> None:
        self.status = status
        self.heads: list[str] = []

    def __call__(self, peer: Peer) -> None:
        head = peer.head()
        if head is None:
            return
        self.heads.append(head)
        peer.send(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
        if not self.status.startswith("200"):
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        peer.pipe(socket.create_connection((host, int(port)), timeout=20))


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "ca_bundle"])
def test_certificates_of_each_variable_and_of_the_profile(
    serve: Serve,
    client: Client,
    authority: Authority,
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url = serve(answering, authority.context).url
    assert "certificate" in client(url).lower()
    if variable == "ca_bundle":
        (tmp_path / "config").write_text(f"[profile work]\nca_bundle = {authority.ca}\n")
        monkeypatch.setenv("AWS_PROFILE", "work")
    else:
        monkeypatch.setenv(variable, str(authority.ca))
    assert client(url) == ""


def test_untrusted_certificate_is_not_tried_again(serve: Serve, authority: Authority) -> None:
    stub = serve(answering, authority.context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", stub.url)
        client = Aws(Access(region="us-east-2")).client("dynamodb")
    with pytest.raises(SSLError):
        client.get_item(TableName="t", Key={"id": {"S": "1"}})
    client.close()
    assert stub.connections == 1


def test_proxy_with_a_password(
    serve: Serve, client: Client, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, proxy = serve(answering, authority.context), ConnectProxy()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca))
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:w%40rd@127.0.0.1:{serve(proxy).port}")
    assert client(stub.url) == ""
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{stub.port} HTTP/1.")
    password = base64.b64encode(b"user:w@rd").decode()
    assert f"proxy-authorization: basic {password}".lower() in head.lower().split("\r\n")
    assert "\r\nauthorization:" not in head.lower()
    assert stub.requests
    for request in stub.requests:
        lines = request.head.lower().split("\r\n")
        assert f"host: 127.0.0.1:{stub.port}" in lines
        assert "proxy-authorization" not in request.head.lower()


def test_hosts_of_no_proxy_are_reached_directly(
    serve: Serve, client: Client, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, proxy = serve(answering, authority.context), ConnectProxy()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{serve(proxy).port}")
    monkeypatch.setenv("no_proxy", "example.com,127.0.0.1")
    assert client(stub.url) == ""
    assert proxy.heads == []


def test_proxy_that_refuses(serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ConnectProxy("407 Proxy Authentication Required")
    # botocore hides the first "t" and the first "p" of the URL, which are those of its scheme.
    monkeypatch.setenv("HTTPS_PROXY", f"http://t:hunter2@127.0.0.1:{serve(proxy).port}")
    reason = client("https://127.0.0.1:9/prod")
    assert "407" in reason
    assert "hunter2" not in reason
    assert "t:" not in reason.replace("http:", "").replace("connect:", "")


def test_proxy_that_is_not_there(serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = serve(answering)
    closed.close()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{closed.port}")
    reason = client("https://127.0.0.1:9/prod")
    assert "refused" in reason.lower() or "connect" in reason.lower()
    assert "hunter2" not in reason


def test_socks_proxy_is_refused_by_every_client(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5h://user:hunter2@127.0.0.1:1080")
    try:
        reason = client("https://127.0.0.1:9/prod")
    except UnsupportedProxy as error:
        reason = f"UnsupportedProxy: {error}"
    assert "SOCKS" in reason or "UnsupportedProxy" in reason
    assert "hunter2" not in reason


def test_socks_proxy_is_a_failed_step_of_the_smoke_test() -> None:
    network = Network(proxies=Proxies(https="socks5://user:hunter2@127.0.0.1:1080"))
    (step,) = smoke(lambda: WebSocket.open("wss://chat.example.com/", network=network), lambda: 0.0, "nonce")
    assert (step.name, step.ok) == ("connect", False)
    assert "HTTPS_PROXY names a SOCKS proxy, which is not supported (socks5://127.0.0.1:1080)" in step.detail
    assert "hunter2" not in step.detail


def test_the_sandbox_is_dialled_directly_whatever_the_environment_says(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = serve(answering)
    for name, value in {
        "HTTP_PROXY": "socks5://127.0.0.1:1",
        "AWS_CA_BUNDLE": " ",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
        "AWS_PROFILE": "missing",
    }.items():
        monkeypatch.setenv(name, value)
    endpoint = f"http://127.0.0.1:{stub.port}"
    aws = Aws(Access(region="us-east-2", endpoint=endpoint, credentials=StaticCredentials("AK", "secret")))
    client = aws.client("dynamodb", retries=False)
    with pytest.raises(Exception, match="GetItem"):
        client.get_item(TableName="t", Key={"id": {"S": "1"}})
    client.close()
    assert len(stub.requests) == 1
    assert (aws.network, aws.endpoints.by_service) == (DIRECT, {})


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "https://dynamodb-fips.us-east-2.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "https://dynamodb.us-east-2.api.aws"),
    ],
)
def test_kinds_of_endpoints_are_boto3s(variable: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "true")
    aws = Aws(Access(region="us-east-2"))
    assert aws.client("dynamodb").meta.endpoint_url == url


def test_credentials_that_need_a_call_use_the_same_certificates(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    core = Aws(Access(region="us-east-2")).session._session
    assert core.get_config_variable("ca_bundle") == str(authority.ca)
