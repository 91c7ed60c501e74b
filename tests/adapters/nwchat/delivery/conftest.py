from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nwchat.aws.tls import client_context
from nwchat.delivery.asyncio_transport import AsyncioTransport, Transport
from nwchatctl.net.curl_transport import CurlTransport
from tests.adapters.nwchat.delivery.scripted_server import Authority, Peer, Stub, make_authority
from tests.adapters.nwchat.delivery.transport_run import MakeTransport


@pytest.fixture(params=["asyncio", "curl"])
def make_transport(request: pytest.FixtureRequest) -> Iterator[MakeTransport]:
    """Each of the two kinds of transport."""
    made: list[Transport] = []

    def make(*, ca: Path | None = None, proxy: str = "") -> Transport:
        transport: Transport
        if request.param == "asyncio":
            verify = client_context(ca) if ca else None
            transport = AsyncioTransport(verify=verify, proxy=lambda url: proxy)
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


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    """Makes stubs, which are closed in the end; what their threads raised is raised here."""
    stubs: list[Stub] = []

    def make(script: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Stub:
        stubs.append(Stub(script, tls))
        return stubs[-1]

    yield make
    for each in stubs:
        each.close()
        assert each.errors == []


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "trusted")
