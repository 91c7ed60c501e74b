"""Every client verifies certificates alike: those of the tool, and the functions."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from nwchat.delivery.socket_transport import SocketTransport
from tests.adapters.nwchat.delivery.every_client import OPERATORS, Client, functions, posted, web_socket
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub, make_authority

Serve = Callable[..., Stub]
Trust = Callable[[Path], None]


@pytest.fixture(
    params=[*OPERATORS, functions],
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
    """Makes every client trust the certificates of a file, by OpenSSL's variable alone: it is the only one
    that the functions read too."""

    def trust(file: Path) -> None:
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

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


def test_certificates_of_a_ca_without_key_usage_are_accepted(
    serve: Serve, client: Client, trust: Trust, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "company", key_identifiers=False, key_usage=False)
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
        reasons.append(posted(SocketTransport(verify=strict), serve(answering, each.context).url))
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
