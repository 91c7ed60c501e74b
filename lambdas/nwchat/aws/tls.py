"""TLS client contexts that verify certificates alike on every Python version, and as libcurl does."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AMAZON_ROOT_CA_1 = "ce5e74ef.0"
"""The name of the root of AWS's certificates in a directory that OpenSSL made (`openssl rehash`)."""
_DIRECTORIES = ("/etc/pki/ca-trust/extracted/pem/directory-hash", "/etc/ssl/certs")
"""Where Amazon Linux and Debian have such a directory."""


def client_context(ca_file: str | Path | None = None, *, lazily: bool = False) -> ssl.SSLContext:
    """A context that verifies the chain, the hostname and the validity period of a server's certificate.

    `ca_file` is a PEM file of the certificates to trust; None stands for those of the system. `lazily`: they
    are read one by one when a server's chain needs them, where the system has a directory for it. To read all
    of them takes 20 ms. Raises OSError.
    """
    directory = _certificate_directory() if lazily and ca_file is None else None
    context = ssl.create_default_context(cafile=ca_file, capath=directory)
    # Python sets these two flags from 3.13 on. With VERIFY_X509_STRICT, OpenSSL refuses certificates that
    # lack an authority key identifier, which many private CAs issue and libcurl and boto3 accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # libcurl also accepts an intermediate CA in `ca_file` as the end of the chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _certificate_directory() -> str | None:
    """The system's directory of certificates by their hashes; None without one that has AWS's.

    Also None when SSL_CERT_FILE says which certificates to trust.
    """
    if "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ:
        return None
    return next((each for each in _DIRECTORIES if os.access(f"{each}/{_AMAZON_ROOT_CA_1}", os.R_OK)), None)
