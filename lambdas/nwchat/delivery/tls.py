"""TLS client contexts that verify certificates alike on every Python version, and as libcurl does."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """A context that verifies the chain, the hostname and the validity period of a server's certificate.

    `ca_file` is a PEM file of the certificates to trust; None stands for those of the system. Raises OSError.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # Python sets these two flags from 3.13 on. With VERIFY_X509_STRICT, OpenSSL refuses certificates that
    # lack an authority key identifier, which many private CAs issue and libcurl and boto3 accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # libcurl also accepts an intermediate CA in `ca_file` as the end of the chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
