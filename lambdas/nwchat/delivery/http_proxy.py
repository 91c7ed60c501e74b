"""A way through an HTTP proxy: CONNECT."""

from __future__ import annotations

import asyncio
import base64
import socket
from urllib.parse import unquote, urlsplit

_MAX_ANSWER = 16 * 1024


async def connect_through(loop: asyncio.AbstractEventLoop, proxy: str, host: str, port: int) -> socket.socket:
    """A socket that leads to `host`. Raises OSError when the proxy can't be reached or says no."""
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    found = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
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
        await _accepted(loop, sock)
    except BaseException:
        sock.close()
        raise
    return sock


async def _accepted(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Reads the proxy's answer, a byte at a time at its end: what follows is the other side's."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(sock, 1)
        answer += byte
        if not byte or len(answer) > _MAX_ANSWER:
            raise ConnectionError("the proxy broke off")
    if answer[9:12] != b"200":
        raise ConnectionError(f"the proxy answered {answer[9:12].decode('latin-1')}")
