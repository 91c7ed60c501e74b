from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nwchat.aws.tls import client_context
from nwchat.delivery.socket_transport import SocketTransport, Transport
from nwchatctl.net.curl_transport import CurlTransport
from nwchatctl.net.http_proxy import parse_proxy
from tests.adapters.nwchat.delivery.transport_run import MakeTransport


@pytest.fixture(autouse=True)
def long_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts that no test reaches unless it sets shorter ones. So whatever ends within `transport_run.SOON`
    has not waited for one, on a busy machine too."""
    for module in ("nwchat.delivery.socket_transport", "nwchatctl.net.curl_transport"):
        monkeypatch.setattr(f"{module}.RESPONSE_TIMEOUT_SECONDS", 100.0)
        monkeypatch.setattr(f"{module}.CONNECT_TIMEOUT_SECONDS", 100.0)


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
