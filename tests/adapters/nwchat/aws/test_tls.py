"""Contexts that read the system's certificates only when a chain needs them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from nwchat.aws import tls
from nwchat.aws.http_client import HttpClient, HttpTimeouts
from nwchat.aws.tls import client_context, lazy_client_context, load_all
from tests.adapters.nwchat.delivery.scripted_server import OK, Authority, Peer, Stub

Serve = Callable[..., Stub]


def answering(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that has AWS's root, and no other certificate."""
    made = tmp_path / "certificates"
    made.mkdir()
    (made / tls._AMAZON_ROOT_CA_1).touch()
    monkeypatch.setenv("SSL_CERT_DIR", str(made))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return made


def get(context: ssl.SSLContext, stub: Stub) -> int:
    client = HttpClient("https", f"127.0.0.1:{stub.port}", lambda: context, HttpTimeouts(5.0, 20.0))
    try:
        return client.send(b"GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").status
    finally:
        client.close()


def test_no_certificate_is_read_at_first(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = lazy_client_context()
    assert context.cert_store_stats()["x509"] == 0
    assert (context.verify_flags, context.verify_mode, context.check_hostname) == (
        client_context().verify_flags,
        ssl.CERT_REQUIRED,
        True,
    )


def test_certificates_beside_the_directory_are_read_when_they_are_needed(
    serve: Serve, authority: Authority, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    context = lazy_client_context()
    stub = serve(answering, authority.context)
    assert (get(context, stub), stub.connections) == (200, 2)
    assert (get(context, stub), stub.connections) == (200, 3)
    assert not load_all(context)


def test_unknown_certificate_is_refused_also_after_all_are_read(
    serve: Serve, authority: Authority, directory: Path
) -> None:
    context, stub = lazy_client_context(), serve(answering, authority.context)
    for _ in range(2):
        with pytest.raises(Exception, match="SSLCertVerificationError"):
            get(context, stub)
    assert stub.requests == []


def test_without_a_directory_all_certificates_are_read(
    directory: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / tls._AMAZON_ROOT_CA_1).unlink()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    context = lazy_client_context()
    assert context.cert_store_stats()["x509"] == 1
    assert not load_all(context)


def test_directory_is_one_that_openssl_trusts_by_default(
    directory: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tls._certificate_directory() == str(directory)
    monkeypatch.delenv("SSL_CERT_DIR")
    default = ssl.get_default_verify_paths().openssl_capath
    assert tls._certificate_directory() in (default, tls._AMAZON_LINUX, None)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    assert tls._certificate_directory() in (default, None)
