from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchat.aws.tls import client_context
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchatctl.net.curl_transport import CurlTransport
from nwchatctl.net.http_proxy import parse_proxy
from tests.adapters.nwchat.delivery.transport_run import MakeTransport


@pytest.fixture(params=["sockets", "curl"])
def make_transport(request: pytest.FixtureRequest) -> Iterator[MakeTransport]:
    """Each of the two kinds of transport."""
    made: list[Transport] = []

    def make(*, ca: Path | None = None, proxy: str = "") -> Transport:
        transport: Transport
        if request.param == "sockets":
            verify = client_context(ca) if ca else None
            transport = SocketTransport(verify=verify, proxy=lambda url: parse_proxy(proxy))
        else:
            transport = CurlTransport(ca_bundle=str(ca or ""), proxy=lambda url: proxy)
        made.append(transport)
        return transport

    yield make
    for each in made:
        each.close()


@pytest.fixture
def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()
