"""Every client verifies certificates alike: both transports, the functions, WebSocket and HTTP client."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nwchat import runtime
from nwchat.delivery.outcome import Failed
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchatctl.aws.core.session import Access, Aws
from nwchatctl.aws.management_api import transport
from nwchatctl.chat.smoke_test import SocketClosed
from nwchatctl.net.http_client import get
from nwchatctl.net.websocket_client import WebSocket
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub, make_authority
from tests.adapters.nwchat.delivery.transport_run import send

Serve = Callable[..., Stub]
Client = Callable[[str], str]
"""Sends a request to an https URL. Returns "" if it is answered, otherwise why it failed."""
Trust = Callable[[Path], None]


def socket_transport(url: str) -> str:
    return _posted(SocketTransport(), url)


def curl_transport(url: str) -> str:
    return _posted(transport(Aws(Access())), url)


def transport_without_pycurl(url: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nwchatctl.net.curl_transport", None)
        made = transport(Aws(Access()))
    assert isinstance(made, SocketTransport)
    return _posted(made, url)


def functions(url: str) -> str:
    cached = (runtime.config, runtime.poster, runtime._tls, runtime._credentials)
    for each in cached:
        each.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NWCHAT_ENDPOINT", url)
            poster = runtime.poster()
            with closing(poster._transport):
                return _reason(poster.post("one", b"hi"))
    finally:
        for each in cached:
            each.cache_clear()


def web_socket(url: str) -> str:
    try:
        WebSocket.open(url.replace("https:", "wss:"), direct=True)
    except SocketClosed as error:
        # The stub answers every request so, which is enough here.
        assert error.status == 200
        return ""
    except OSError as error:
        return str(error)
    raise AssertionError("the stub does not speak WebSocket")


def http_client(url: str) -> str:
    try:
        assert get(url, 10, direct=True).status == 200
    except OSError as error:
        return str(error)
    return ""


def _posted(transport: Transport, url: str) -> str:
    with closing(transport):
        sent = send(transport, url, ["one"], attempts=1)
    return _reason(sent.outcomes["one"])


def _reason(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, Failed) else ""


@pytest.fixture(
    params=[
        socket_transport,
        curl_transport,
        transport_without_pycurl,
        functions,
        web_socket,
        http_client,
    ],
    ids=lambda client: client.__name__,
)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Client:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-2",
        "NWCHAT_CONNECTIONS_TABLE": "c",
        "NWCHAT_MESSAGES_TABLE": "m",
        "NO_PROXY": "*",
    }.items():
        monkeypatch.setenv(name, value)
    client: Client = request.param
    return client


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """Makes every client trust the certificates of a file, by OpenSSL's variable and by boto3's."""

    def trust(file: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))

    return trust


def answering(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


def test_certificates_with_key_identifiers_are_accepted(
    serve: Serve, client: Client, trust: Trust, authority: Authority
) -> None:
    trust(authority.ca)
    assert client(serve(answering, authority.context).url) == ""


def test_certificates_without_key_identifiers_are_accepted(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "plain", key_identifiers=False)
    trust(authority.ca)
    assert client(serve(answering, authority.context).url) == ""


def test_an_intermediate_ca_can_be_trusted_without_its_root(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "chain", intermediate=True)
    trust(authority.issuer)
    assert client(serve(answering, authority.context).url) == ""


@pytest.mark.parametrize("key_identifiers", [True, False])
def test_an_untrusted_certificate_is_refused(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path, key_identifiers: bool
) -> None:
    trust(make_authority(tmp_path / "trusted", key_identifiers=key_identifiers).ca)
    other = make_authority(tmp_path / "other", key_identifiers=key_identifiers)
    assert_refused(client, serve(answering, other.context))


@pytest.mark.parametrize("key_identifiers", [True, False])
def test_an_expired_certificate_is_refused(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path, key_identifiers: bool
) -> None:
    authority = make_authority(tmp_path / "old", key_identifiers=key_identifiers, expired=True)
    trust(authority.ca)
    assert_refused(client, serve(answering, authority.context))


@pytest.mark.parametrize("key_identifiers", [True, False])
def test_a_certificate_for_another_name_is_refused(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path, key_identifiers: bool
) -> None:
    authority = make_authority(tmp_path / "named", key_identifiers=key_identifiers)
    trust(authority.ca)
    assert_refused(client, serve(answering, authority.context), "localhost")


def assert_refused(client: Client, stub: Stub, host: str = "127.0.0.1") -> None:
    reason = client(stub.url.replace("127.0.0.1", host))
    assert "certificate" in reason.lower()
    assert stub.requests == []


def test_the_certificates_of_these_tests_differ_in_what_strict_verification_needs(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    plain = make_authority(tmp_path / "plain", key_identifiers=False)
    reasons = []
    for each in (authority, plain):
        strict = ssl.create_default_context(cafile=each.ca)
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        reasons.append(_posted(SocketTransport(verify=strict), serve(answering, each.context).url))
    assert reasons[0] == ""
    assert "Missing" in reasons[1]


def test_the_web_socket_does_not_use_tls_1_3(serve: Serve, trust: Trust, authority: Authority) -> None:
    versions: list[str | None] = []

    def script(peer: Peer) -> None:
        assert isinstance(peer._sock, ssl.SSLSocket)
        versions.append(peer._sock.version())
        answering(peer)

    trust(authority.ca)
    assert web_socket(serve(script, authority.context).url) == ""
    assert versions == ["TLSv1.2"]
