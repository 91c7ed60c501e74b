"""Tunnels through an HTTP proxy: the CONNECT method."""

from __future__ import annotations

import asyncio
import base64
import socket
from urllib.parse import unquote, urlsplit

_MAX_RESPONSE_BYTES = 16 * 1024


class ProxyError(ConnectionError):
    """The proxy opens no tunnel. The text has no password."""


async def open_tunnel(loop: asyncio.AbstractEventLoop, proxy: str, host: str, port: int) -> socket.socket:
    """Open a tunnel to `host` through `proxy`, and return its socket.

    Raises OSError when the proxy cannot be reached or refuses.
    """
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    if parts.scheme == "https":
        raise ProxyError("a proxy that is reached over TLS needs pycurl")
    addresses = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = addresses[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines.append(f"proxy-authorization: Basic {base64.b64encode(login.encode()).decode()}")
        await loop.sock_sendall(sock, "".join(f"{line}\r\n" for line in (*lines, "")).encode())
        await _read_response(loop, sock)
    except BaseException:
        sock.close()
        raise
    return sock


async def _read_response(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Read the proxy's response one byte at a time: the bytes after it belong to the tunnel."""
    response = b""
    while not response.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(sock, 1)
        response += byte
        if not byte or len(response) > _MAX_RESPONSE_BYTES:
            raise ProxyError("the proxy broke off")
    if response[9:12] != b"200":
        raise ProxyError(f"the proxy answered {response[9:12].decode('latin-1')}")
