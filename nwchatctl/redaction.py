"""Which settings and values look like secrets, so that no error or plan shows them."""

from __future__ import annotations

import re

_SECRET = re.compile(r"secret|token|passw|passphrase|credential|private|api_?key|access_?key", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Whether the value named `name` must not be shown."""
    return _SECRET.search(name) is not None
