"""Which settings and values look like secrets, so that no error or plan shows them."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"secret|token|passw|passphrase|\bpwd\b|credential|private|api[_-]?key|access[_-]?key", re.IGNORECASE
)


_URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


def has_credentials(value: str) -> bool:
    """Whether the value has an address with a password in it, as `postgres://user:password@host`."""
    return _URL_WITH_PASSWORD.search(value) is not None


def looks_secret(name: str) -> bool:
    """Whether the value named `name` must not be shown."""
    return _SECRET.search(name) is not None
