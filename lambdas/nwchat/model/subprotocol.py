"""The subprotocols that a client offers in its handshake. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUBPROTOCOL = "nwchat"

_HEADER = "sec-websocket-protocol"


def offered_subprotocols(event: Mapping[str, Any]) -> list[str]:
    """Every one, trimmed, of all the headers that name some: a list may be spread over several (RFC 6455,
    4.1). Header names are as the client wrote them."""
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
