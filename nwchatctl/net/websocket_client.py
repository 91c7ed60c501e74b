"""Blocking WebSocket client, which connects as a player's browser does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, ProxyError, WebSocketException
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from nwchatctl.chat.smoke_test import SocketClosed
from nwchatctl.net.network import Network
from nwchatctl.net.proxies import public_address

OPEN_TIMEOUT_SECONDS = 15.0
"""The upgrade waits for the connect function, which may have a cold start."""


class _NoRedirects(ClientConnection):
    """Follows no redirects: websockets 17 and later would offer the same subprotocols to any host."""

    def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Perform the handshake. Raises SocketClosed when it is refused.

        websockets does not wrap this error.
        """
        try:
            super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            status, leads = error.response.status_code, error.response.headers.get("Location")
            to = f", which leads to {leads[:200]}" if leads and 300 <= status < 400 else ""
            raise SocketClosed(f"the handshake was refused with HTTP {status}{to}", status) from error


def _tls_context(url: str, network: Network) -> ssl.SSLContext | None:
    if not url.startswith("wss:"):
        return None
    context = network.tls_context()
    # websockets reads in one thread while another one writes, which OpenSSL does not support for a single
    # connection. In TLS 1.3, a session ticket that arrives during the first write can make the handshake
    # hang. API Gateway accepts TLS 1.2, which has no messages after the handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class WebSocket:
    """A WebSocket connection with text frames."""

    def __init__(self, connection: ClientConnection, closing: ExitStack) -> None:
        self._connection = connection
        self._closing = closing

    @classmethod
    def open(
        cls,
        url: str,
        *,
        network: Network,
        address: tuple[str, int] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> WebSocket:
        """Connect to `url`.

        `network` has the certificates to trust and the proxies. `address` is the (host, port) to connect to;
        the URL's host is then used for the Host header only. One of the `subprotocols` may be a token, so
        that it does not appear in a URL. Raises SocketClosed when the chat refuses the connection, OSError
        when it cannot be reached, also through its proxy.
        """
        proxy = network.proxies.for_url(url) or None
        sock = socket.create_connection(address, OPEN_TIMEOUT_SECONDS) if address else None
        # Entered as a context manager, as websockets 17.1 and later require.
        with ExitStack() as cleanup:
            if sock is not None:
                cleanup.callback(sock.close)
            closing = ExitStack()
            try:
                connection = closing.enter_context(
                    connect(
                        url,
                        open_timeout=OPEN_TIMEOUT_SECONDS,
                        close_timeout=5,
                        proxy=proxy,
                        proxy_ssl=network.tls_context() if (proxy or "").startswith("https:") else None,
                        ssl=_tls_context(url, network),
                        sock=sock,
                        subprotocols=[Subprotocol(each) for each in subprotocols] or None,
                        create_connection=_NoRedirects,
                    )
                )
            except ProxyError as error:
                raise OSError(f"the proxy {public_address(proxy or '')} refused: {error}") from error
            except WebSocketException as error:
                raise SocketClosed(f"the handshake failed: {error}") from error
            cleanup.pop_all()
        return cls(connection, closing)

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the chat selected."""
        return self._connection.subprotocol

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed the connection."""
        return self._connection.state is State.OPEN

    def send(self, text: str) -> None:
        """Send one text frame. Raises SocketClosed."""
        try:
            self._connection.send(text)
        except ConnectionClosed as error:
            raise SocketClosed(f"the chat closed the socket: {error}") from error

    def receive(self, seconds: float) -> str:
        """The next text frame. Raises TimeoutError after `seconds`, or SocketClosed."""
        try:
            frame = self._connection.recv(timeout=seconds)
        except ConnectionClosed as error:
            raise SocketClosed(f"the chat closed the socket: {error}") from error
        return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")

    def close(self) -> int:
        """Close with code 1000; return the peer's close code.

        1005 is a close frame without a code; 1006 is none, whether the peer ends the TCP connection or leaves
        it open for some seconds.
        """
        self._closing.close()
        code = self._connection.close_code
        return 1006 if code is None else code
