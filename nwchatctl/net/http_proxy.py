"""An HTTP proxy's URL, for the transport over sockets."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit

from nwchat.delivery.connecting import Proxy, ProxyError


def parse_proxy(url: str) -> Proxy | None:
    """The proxy of a URL, with or without a scheme; None for "". Raises ProxyError for an https:// proxy."""
    if not url:
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    if parts.scheme == "https":
        raise ProxyError("a proxy that is reached over TLS needs pycurl")
    authorization = ""
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(login.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or 80, authorization)
