"""The clients of the smoke test: they use the domain of the chat where it leads there, else AWS's."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from nwchatctl.chat.first_connect import UnresolvedName
from nwchatctl.chat.smoke_test import HistoryResponse, SocketClosed
from nwchatctl.net.http_client import get
from nwchatctl.net.network import CERTIFICATE_HINT, is_untrusted
from nwchatctl.net.websocket_client import WebSocket
from nwchatctl.operations.planning import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nwchatctl.context import App
    from nwchatctl.net.network import Network


Connect: TypeAlias = "Callable[[Sequence[str]], WebSocket]"
"""Connects, offering those subprotocols. Raises OSError and SocketClosed."""


def chat_client(app: App, api_id: str) -> tuple[str, Connect, tuple[str, ...]]:
    """The address, what connects to it, and a warning where it is not the chat's name though it has one."""
    name = app.settings.domain.name
    if name:
        app.cloud.domains.mappings(name)
    network = _network(app)
    links = endpoints(app, api_id)
    url = links["domain"]
    if url is None:
        plain = links["websocket"] or ""
        warning = f"{name} does not lead to the chat yet: {app.command('deploy')}"
        return (
            plain,
            lambda spoken: WebSocket.open(plain, network=network, subprotocols=spoken),
            (warning,) if name else (),
        )
    at, address = None, url
    if app.cloud.location.api_base:
        # Nobody's DNS leads to this machine; the sandbox tells a name by the Host that is asked for.
        endpoint = urlsplit(app.cloud.location.api_base)
        at, address = (endpoint.hostname or "", endpoint.port or 80), url.replace("wss:", "ws:")

    def connect(spoken: Sequence[str]) -> WebSocket:
        return WebSocket.open(address, network=network, address=at, subprotocols=spoken)

    return url, lambda spoken: _explain_domain_errors(app, name, lambda: connect(spoken)), ()


def history_client(app: App, token: str) -> Callable[[str, float], HistoryResponse]:
    """What asks the history API for a path, as the holder of `token`, through its own name where it has one.
    Raises OSError."""
    name = app.settings.history.domain
    if name:
        app.cloud.domains.mappings(name)
    base, host = endpoints(app, "")["history"] or "", ""
    if app.cloud.location.api_base and base == f"https://{name}":
        base, host = app.cloud.location.api_base, name
    network = _network(app)
    return lambda path, seconds: get(base + path, seconds, network=network, host=host, token=token)


def _network(app: App) -> Network:
    """How the chat's addresses are reached. Raises ChatError as `Network.check_fips`."""
    network = app.aws.network
    network.check_fips(app.cloud.location.partition)
    return network


def _explain_domain_errors(app: App, name: str, connect: Callable[[], WebSocket]) -> WebSocket:
    """Connects; an error says what is wrong with the domain. Raises OSError and SocketClosed."""
    status = f"`{app.command('status')}` shows the record that it needs"
    try:
        return connect()
    except socket.gaierror as error:
        raise UnresolvedName(
            f"{name} does not resolve: {status}; a new one may take some minutes to be seen"
        ) from error
    except ssl.SSLError as error:
        if is_untrusted(error):
            raise OSError(
                f"the certificate of {name} is not trusted ({error}): {CERTIFICATE_HINT}"
            ) from error
        raise OSError(
            f"{name} leads to somebody who has no certificate for it ({error}): {status}"
        ) from error
    except SocketClosed as error:
        text = f"{error}, at {name}: if that leads elsewhere, {status}"
        raise SocketClosed(text, error.status) from error
