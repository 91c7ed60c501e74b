"""Origins of web pages, as browsers send them in the Origin header."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s,A-Z?#@*]+")
_FORM = "an origin as browsers send it: scheme://host[:port], in lower case, without a path"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def browser_origin(text: str) -> str:
    """`text`, if a browser may send exactly that (WHATWG URL, "serialization of an origin"). Raises
    ValueError that says what to write instead."""
    if text == "*":
        raise ValueError("must be left empty to accept all pages, without *")
    _, separator, rest = text.partition("://")
    if "*" in text:
        raise ValueError(f"must name each page, without *: write {text.replace('*', 'www')} and the others")
    if not separator or not rest:
        raise ValueError(f"must be {_FORM}")
    written = _as_sent(text)
    if written != text:
        raise ValueError(f"must be {_FORM}: write {written}" if written else f"must be {_FORM}")
    return text


def _as_sent(text: str) -> str:
    """What a browser sends for a page at `text`; "" where there is no such page."""
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
        host = (
            (parts.hostname or "").encode("idna").decode()
            if ":" not in (parts.hostname or "")
            else parts.hostname
        )
    except ValueError:
        return ""
    host = f"[{host}]" if host and ":" in host else host
    port = "" if _DEFAULT_PORTS.get(parts.scheme) == port else port
    sent = f"{parts.scheme}://{host}{port}"
    return sent if host and _ORIGIN.fullmatch(sent) else ""
