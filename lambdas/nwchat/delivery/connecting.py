"""Makes connections without blocking: TCP, then a proxy's tunnel, then TLS.

Each step is a part of a generator, which yields a socket and the events that it waits for (of `selectors`),
and is resumed when one of them has come. TimeoutError is thrown into it when none comes.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Generator
from errno import EINPROGRESS, EWOULDBLOCK
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any, TypeAlias

from nwchat.aws.tls import load_all
from nwchat.delivery.request import Call
from nwchat.values import dataclass

_MAX_RESPONSE_BYTES = 16 * 1024

Steps: TypeAlias = Generator[tuple[socket.socket, int], None, socket.socket]


class ProxyError(ConnectionError):
    """The proxy opens no tunnel. The text has no password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value of its header, "" for none."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy(host={self.host!r}, port={self.port!r})"


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how to reach it. `tls` is the context for https, None for http."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None


def look_up(server: Server) -> list[Any]:
    """The addresses of the server, or of its proxy, as `getaddrinfo` returns them. Blocks. Raises OSError."""
    host, port = (server.proxy.host, server.proxy.port) if server.proxy else (server.host, server.port)
    # As bytes: Python would import its table of international names for a text.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)


def connect(server: Server, addresses: Callable[[], list[Any]]) -> Steps:
    """Connect to the first address that accepts. Returns the socket. Raises OSError, as ssl.SSLError."""
    try:
        return (yield from _connect_once(server, addresses()))
    except ssl.SSLCertVerificationError:
        if server.tls is None or not load_all(server.tls):
            raise
        return (yield from _connect_once(server, addresses()))


def _connect_once(server: Server, addresses: list[Any]) -> Steps:
    sock = yield from _first_to_accept(addresses)
    try:
        if server.proxy is not None:
            yield from _open_tunnel(sock, server, server.proxy)
        return (
            sock
            if server.tls is None
            else (yield from _secure(sock, server.tls, server.host.encode("ascii")))
        )
    except BaseException:
        sock.close()
        raise


def _first_to_accept(addresses: list[Any]) -> Steps:
    failure = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as unsupported:
            failure = unsupported
            continue
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = sock.connect_ex(address)
            if error in (EINPROGRESS, EWOULDBLOCK):
                yield sock, EVENT_WRITE
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            return sock
        except OSError as refused:
            sock.close()
            failure = refused
        except BaseException:
            sock.close()
            raise
    raise failure


def _open_tunnel(sock: socket.socket, server: Server, proxy: Proxy) -> Steps:
    target = f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
    if proxy.authorization:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    # Shorter than the buffer of a new socket.
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    response = b""
    while not response.endswith(b"\r\n\r\n"):
        yield sock, EVENT_READ
        # One byte at a time: the bytes after the response belong to the tunnel.
        byte = sock.recv(1)
        response += byte
        if not byte or len(response) > _MAX_RESPONSE_BYTES:
            raise ProxyError("the proxy broke off")
    if response[9:12] != b"200":
        raise ProxyError(f"the proxy answered {response[9:12].decode('latin-1')}")
    return sock


def _secure(sock: socket.socket, tls: ssl.SSLContext, host: bytes) -> Steps:
    secure = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secure.do_handshake()
                return secure
            except ssl.SSLWantReadError:
                yield secure, EVENT_READ
            except ssl.SSLWantWriteError:
                yield secure, EVENT_WRITE
    except BaseException:
        secure.close()
        raise


class Connecting:
    """A connection that is being made for `call`. `selector` tells `on_ready` when the next step is possible.

    `expires_at` is when its step has taken too long, in monotonic seconds; the owner sets it for each new
    step.
    """

    def __init__(
        self, call: Call[Any], steps: Steps, selector: BaseSelector, on_ready: Callable[[Connecting], None]
    ) -> None:
        self.call = call
        self.expires_at = 0.0
        self.is_new_step = True
        """Whether the last event ended a step; a part of a response does not."""
        self._steps = steps
        self._selector = selector
        self._on_ready = on_ready
        self._waiting: socket.socket | None = None
        self._step_socket: socket.socket | None = None

    def step(self, error: Exception | None = None) -> socket.socket | None:
        """Take the next step; with `error`, give up waiting for it. The socket after the last step.

        Raises the errors of `connect`.
        """
        self._unregister()
        try:
            sock, events = next(self._steps) if error is None else self._steps.throw(error)
        except StopIteration as end:
            made: socket.socket = end.value
            return made
        self.is_new_step = sock is not self._step_socket
        self._waiting = self._step_socket = sock
        self._selector.register(sock, events, lambda _: self._on_ready(self))
        return None

    def abort(self) -> None:
        """Close the socket."""
        self._unregister()
        self._steps.close()

    def _unregister(self) -> None:
        if self._waiting is not None:
            self._selector.unregister(self._waiting)
            self._waiting = None
