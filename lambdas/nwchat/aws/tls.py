"""TLS client contexts that verify certificates alike on every Python version, and as libcurl does."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from pathlib import Path

_AMAZON_ROOT_CA_1 = "ce5e74ef.0"
"""The name of the root of AWS's certificates in a directory that OpenSSL made (`openssl rehash`)."""
_AMAZON_LINUX = "/etc/pki/ca-trust/extracted/pem/directory-hash"

_LAZY: WeakSet[ssl.SSLContext] = WeakSet()
"""Contexts that know only the certificates of a directory."""


def client_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A context that verifies the chain, the hostname and the validity period of a server's certificate.

    `ca_file` is a PEM file of the certificates to trust; None stands for those of the system. Raises OSError.
    """
    return verify_alike(ssl.create_default_context(cafile=ca_file))


def lazy_client_context() -> ssl.SSLContext:
    """As `client_context()`, but certificates of the system are read when a server's chain needs them.

    To read all of them takes 20 ms. Where the system has a directory of certificates that OpenSSL can search,
    only that one is searched at first: `load_all` must be called when a certificate is refused.
    """
    if (directory := _certificate_directory()) is None:
        return client_context()
    context = verify_alike(ssl.create_default_context(capath=directory))
    _LAZY.add(context)
    return context


def load_all(context: ssl.SSLContext) -> bool:
    """Read all certificates of the system into a lazy context; False when `context` has them already."""
    if context not in _LAZY:
        return False
    _LAZY.discard(context)
    context.load_default_certs()
    return True


def verify_alike(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, which then judges certificates as every other client does."""
    # Python sets these two flags from 3.13 on. With VERIFY_X509_STRICT, OpenSSL refuses certificates that
    # lack an authority key identifier, which many private CAs issue and libcurl and boto3 accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # libcurl also accepts an intermediate CA in `ca_file` as the end of the chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _certificate_directory() -> str | None:
    """A directory of certificates by their hashes, which has AWS's root and is trusted by default anyway."""
    paths = ssl.get_default_verify_paths()
    configured = os.environ.get(paths.openssl_capath_env)
    if configured is None and paths.openssl_cafile_env not in os.environ:
        candidates = [paths.openssl_capath, _AMAZON_LINUX]
    else:
        candidates = [configured or paths.openssl_capath]
    return next((each for each in candidates if os.access(f"{each}/{_AMAZON_ROOT_CA_1}", os.R_OK)), None)
