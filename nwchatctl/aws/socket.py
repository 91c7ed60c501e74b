"""A WebSocket to the chat, as a player's browser has one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Literal

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from nwchat.tls import client_context
from nwchatctl.chat.smoke import SocketClosed

OPEN_TIMEOUT = 15.0
"""Seconds. The upgrade waits for the connect function, which may start cold."""


class _Straight(ClientConnection):
    """Follows no redirect: websockets does from 17 on, and offers the same subprotocols to any host."""

    def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Raises SocketClosed where it is refused, which websockets hands on as it is."""
        try:
            super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            status, leads = error.response.status_code, error.response.headers.get("Location")
            to = f", which leads to {leads[:200]}" if leads and 300 <= status < 400 else ""
            raise SocketClosed(f"the handshake was refused with HTTP {status}{to}", status) from error


def _tls(url: str) -> ssl.SSLContext | None:
    if not url.startswith("wss:"):
        return None
    context = client_context()
    # websockets reads in one thread while another one writes, which OpenSSL does not support for a single
    # connection. In TLS 1.3, a session ticket that arrives during the first write can make the handshake
    # hang. API Gateway accepts TLS 1.2, which has no messages after the handshake.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class WebSocket:
    """A blocking client socket; frames are text."""

    def __init__(self, connection: ClientConnection, leave: ExitStack) -> None:
        self._connection = connection
        self._leave = leave

    @classmethod
    def open(
        cls,
        url: str,
        *,
        direct: bool = False,
        at: tuple[str, int] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> WebSocket:
        """Connects, `direct` past any proxy of the environment: the sandbox is on this machine. `at` is the
        (host, port) that is dialled whatever the address says, which then only is the Host. One of the
        `subprotocols` may be a token, which no address shows then.

        Raises SocketClosed where the chat refuses, OSError where it is not reached.
        """
        proxy: Literal[True] | None = None if direct else True
        dialled = socket.create_connection(at, OPEN_TIMEOUT) if at else None
        # Entered, because websockets wants that from 17.1 on.
        with ExitStack() as failed:
            if dialled is not None:
                failed.callback(dialled.close)
            leave = ExitStack()
            try:
                connection = leave.enter_context(
                    connect(
                        url,
                        open_timeout=OPEN_TIMEOUT,
                        close_timeout=5,
                        proxy=proxy,
                        ssl=_tls(url),
                        sock=dialled,
                        subprotocols=[Subprotocol(each) for each in subprotocols] or None,
                        create_connection=_Straight,
                    )
                )
            except WebSocketException as error:
                raise SocketClosed(f"the handshake failed: {error}") from error
            failed.pop_all()
        return cls(connection, leave)

    @property
    def subprotocol(self) -> str | None:
        """The one that the chat chose of those that were offered."""
        return self._connection.subprotocol

    def send(self, text: str) -> None:
        """Sends one text frame. Raises SocketClosed."""
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
        """Closes with 1000; the code that the other side answered, 1006 where it did not."""
        self._leave.close()
        code = self._connection.close_code
        return 1006 if code is None else code
