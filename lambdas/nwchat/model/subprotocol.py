"""The WebSocket subprotocols that a client offers in its handshake. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUBPROTOCOL = "nwchat"

_HEADER = "sec-websocket-protocol"


def offered_subprotocols(event: Mapping[str, Any]) -> list[str]:
    """All offered subprotocols, trimmed, from all headers.

    A list may be split into several headers (RFC 6455, 4.1). Header names have any case.
    """
    multi_value, single = event.get("multiValueHeaders"), event.get("headers")
    lines = [
        str(line)
        for name, values in (multi_value.items() if isinstance(multi_value, Mapping) else ())
        if str(name).lower() == _HEADER
        for line in (values if isinstance(values, list) else [values])
    ] or [
        str(value)
        for name, value in (single.items() if isinstance(single, Mapping) else ())
        if str(name).lower() == _HEADER
    ]
    return [each.strip() for line in lines for each in line.split(",") if each.strip()]
