"""The credentials of a function's role, from where Lambda provides them.

In variables of the environment; with SnapStart from a local endpoint, because credentials in a snapshot would
have expired when it is restored (Lambda developer guide, "Lambda SnapStart").
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from nwchat.aws.errors import NoAwsResponse
from nwchat.aws.http_client import HttpClient, HttpTimeouts
from nwchat.aws.signing import Credentials, host_header

REFRESH_SECONDS = 600.0
"""How long before they expire credentials are renewed, as botocore must renew them."""
_ATTEMPTS = 3
_TIMEOUTS = HttpTimeouts(1.0, 2.0)


class NoCredentials(LookupError):
    """There are no credentials, or the endpoint for them does not return any."""


def credential_source(
    env: Mapping[str, str], clock: Callable[[], float] = time.time
) -> Callable[[], Credentials]:
    """A function that returns the credentials, and raises NoCredentials. Thread-safe.

    `env` is read at each call: Lambda sets these variables for each environment.
    """
    container = ContainerCredentials(env, clock)

    def credentials() -> Credentials:
        key_id, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
        if key_id and secret:
            return Credentials(key_id, secret, env.get("AWS_SESSION_TOKEN", ""))
        return container()

    return credentials


class ContainerCredentials:
    """Credentials of the endpoint for containers, kept until shortly before they expire."""

    def __init__(self, env: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._env = env
        self._clock = clock
        self._lock = Lock()
        self._found: Credentials | None = None
        self._expires_at = 0.0

    def __call__(self) -> Credentials:
        with self._lock:
            if self._found is None or self._clock() >= self._expires_at - REFRESH_SECONDS:
                try:
                    self._found, self._expires_at = _parse(self._fetch())
                except NoCredentials:
                    # The known ones are used until they expire.
                    if self._found is None or self._clock() >= self._expires_at:
                        raise
            return self._found

    def _fetch(self) -> bytes:
        url = self._env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        # Lambda's endpoint is on this host. The token must not be sent anywhere else.
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise NoCredentials("no AWS credentials")
        token = self._env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if not f"{url}{token}".isprintable():
            raise NoCredentials("the variables for AWS credentials are not the text that they should be")
        host, path = host_header(url), url.partition("://")[2].partition("/")[2]
        lines = (
            f"GET /{path} HTTP/1.1",
            f"host: {host}",
            "accept: application/json",
            f"authorization: {token}",
            "connection: close",
        )
        client = HttpClient("http", host, _no_tls, _TIMEOUTS)
        return _get(client, "\r\n".join((*lines, "\r\n")).encode())


def _get(client: HttpClient, request: bytes) -> bytes:
    for _ in range(_ATTEMPTS):
        try:
            answer = client.send(request)
        except NoAwsResponse:
            continue
        finally:
            client.close()
        if answer.status == 200:
            return answer.body
    raise NoCredentials("the endpoint for AWS credentials does not return any")


def _parse(body: bytes) -> tuple[Credentials, float]:
    """The credentials in a response, and when they expire in epoch seconds. Raises NoCredentials."""
    try:
        fields: Any = json.loads(body)
        # 2026-11-30T20:14:19Z
        expires_at = _utc_seconds(time.strptime(fields["Expiration"][:19], "%Y-%m-%dT%H:%M:%S"))
        texts = [fields[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")]
        if not all(isinstance(each, str) for each in texts):
            raise TypeError
    except (ValueError, RecursionError, KeyError, TypeError):
        # `from None`: the context of the error would quote the secrets.
        raise NoCredentials("the endpoint for AWS credentials returns something else") from None
    return Credentials(*texts), expires_at


def _utc_seconds(at: time.struct_time) -> float:
    """Epoch seconds. `time` converts local time only, here without daylight saving time."""
    return time.mktime((*at[:8], 0)) - time.timezone


def _no_tls() -> Any:
    raise AssertionError("the endpoint for credentials is not https")
