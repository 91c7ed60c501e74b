"""AWS Signature Version 4 for many small requests to one endpoint, with the standard library.

The parts that all requests of one second share are computed once; one hash and one HMAC remain for each
request. Compared with botocore's signer in tests/unit/nwchat/delivery/test_signing.py.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from nwchat.values import dataclass

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The unreserved characters, and the padding at the end of most of API Gateway's connection ids.
_PLAIN = re.compile(r"[A-Za-z0-9_~-]+=*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Access keys of an IAM user or role; `token` is "" when there is none."""

    access_key_id: str
    secret_access_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={self.access_key_id!r})"


class SignedRequest(NamedTuple):
    """A request's path on the wire and its headers, as `Name: value`.

    A single value, so that threads cannot mix the parts of two requests, or of two dates.
    """

    path: str
    headers: list[str]


@dataclass(frozen=True, slots=True)
class _SigningContext:
    """What all requests of one second share. `head` and `tail` belong to the canonical request."""

    second: int
    head: str
    tail: str
    to_sign: str
    key: bytes
    authorization: str
    headers: list[str]


class Signer:
    """Signs requests of one `method` to `url`, whose path, if any, is a prefix of every request's.

    `headers` are sent with every request and signed. The transport adds the Host header from the same URL.
    `credentials` is called once a second and after `renew`; `clock` returns epoch seconds. Thread-safe.
    """

    def __init__(
        self,
        method: str,
        url: str,
        region: str,
        service: str,
        credentials: Callable[[], Credentials],
        *,
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        self.method = method
        self.scheme = parts.scheme
        self.host = host_header(url)
        self.prefix = quote(parts.path.rstrip("/"), safe="/~%@:+")
        self._scope = f"{region}/{service}/aws4_request"
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        self._credentials = credentials
        self._clock = clock
        self._canonical_prefix = quote(self.prefix, safe="/~")
        self._key: tuple[str, Credentials, bytes] | None = None
        self._context: _SigningContext | None = None

    def sign(self, name: str, payload_sha256: str) -> SignedRequest:
        """Sign a request whose path ends in the segment `name`; "" for none.

        Raises ValueError for `.` and `..`, LookupError for credentials that are not valid in a header, and
        any error of `credentials`.
        """
        context = self._context
        if context is None or context.second != int(self._clock()):
            context = self._new_context()
        if _PLAIN.fullmatch(name):
            once = name.replace("=", "%3D")
            twice = name.replace("=", "%253D")
        else:
            once = quote_segment(name)
            twice = quote(once, safe="/~")
        canonical = f"{context.head}{twice}{context.tail}{payload_sha256}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(context.key, f"{context.to_sign}{digest}".encode(), "sha256").hex()
        return SignedRequest(
            f"{self.prefix}/{once}", [f"{context.authorization}{signature}", *context.headers]
        )

    def renew(self) -> None:
        """Call `credentials` for the next request, because AWS rejected the current ones."""
        self._context = None

    def _new_context(self) -> _SigningContext:
        second = int(self._clock())
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        credentials = self._credentials()
        scope = f"{date[:8]}/{self._scope}"
        signed = {**self._headers, "host": self.host, "x-amz-date": date}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed))
        sent = [f"{name}: {value}" for name, value in signed.items() if name != "host"]
        sent_text = f"{credentials.access_key_id}{credentials.token}"
        if not (sent_text.isascii() and sent_text.isprintable()):
            raise LookupError("the AWS credentials are not the text that they should be")
        context = _SigningContext(
            second,
            f"{self.method}\n{self._canonical_prefix}/",
            f"\n\n{lines}\n{names}\n",
            f"{_ALGORITHM}\n{date}\n{scope}\n",
            self._signing_key(date[:8], credentials),
            f"authorization: {_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature=",
            sent,
        )
        self._context = context
        return context

    def _signing_key(self, day: str, credentials: Credentials) -> bytes:
        known = self._key
        if known is not None and known[:2] == (day, credentials):
            return known[2]
        key = f"AWS4{credentials.secret_access_key}".encode()
        for part in (day, *self._scope.split("/")):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = (day, credentials, key)
        return key


def quote_segment(name: str) -> str:
    """A path segment quoted as botocore does. Raises ValueError for `.` and `..`."""
    if name in (".", ".."):
        raise ValueError(f"{name!r} is no connection id")
    return quote(name, safe="-._~")


def host_header(url: str) -> str:
    """The Host header: without the scheme's default port, and without user name and password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    return host if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"


def sha256_hex(payload: bytes) -> str:
    """The hash of a payload, for `Signer.sign`."""
    return hashlib.sha256(payload).hexdigest()
