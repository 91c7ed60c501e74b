"""Parser for HTTP/1.1 responses, from the bytes received so far. Pure."""

from __future__ import annotations

from typing import NamedTuple

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024
STATUS_ONLY = frozenset((200, 204, 410))
"""Statuses whose body is not needed: such a response counts without its body."""


class HttpResponse(NamedTuple):
    """A response. `body` is what has been received, `complete` whether that is all of it.

    `keep_alive`: the connection can be used again. `until_closed`: the body ends with the connection.
    """

    status: int
    body: bytes
    complete: bool
    keep_alive: bool
    until_closed: bool = False

    @property
    def usable(self) -> bool:
        """Whether the response counts although the connection has ended."""
        return self.complete or self.until_closed or self.status in STATUS_ONLY


def parse_response(data: bytes) -> HttpResponse | None:
    """Parse the response at the start of `data`; None until its headers are complete.

    Raises ValueError when `data` is not an HTTP response.
    """
    found = split_head(data)
    return None if found is None else _parse_body(*found)


def split_head(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, head and what follows the head of the response at the start of `data`; None until its headers
    are complete.

    Raises ValueError when `data` is not an HTTP response.
    """
    while True:
        if not data.startswith(b"HTTP/1.") and not b"HTTP/1.".startswith(data[:7]):
            raise ValueError("no HTTP answer")
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise ValueError("headers without an end")
            return None
        status = data[9:12]
        if not status.isdigit() or data[8:9] != b" ":
            raise ValueError("no HTTP answer")
        if not status.startswith(b"1"):
            return int(status), data[:end], data[end + 4 :]
        # An interim response such as "100 Continue": the final response follows.
        data = data[end + 4 :]


def framing(status: int, head: bytes) -> tuple[bool, bool, int | None]:
    """Whether the connection can be used again, whether the body has chunks, and otherwise its length.

    Without a length, the body ends with the connection. Raises ValueError for an invalid length.
    """
    lines = head.lower() + b"\r\n"
    keep_alive = b"\r\nconnection: close" not in lines and head[7:8] == b"1"
    if status in (204, 304):
        return keep_alive, False, 0
    if b"\r\ntransfer-encoding:" in lines:
        return keep_alive, True, None
    at = lines.find(b"\r\ncontent-length:")
    if at < 0:
        return False, False, None
    length = lines[at + 17 : lines.find(b"\r\n", at + 17)].strip()
    if not length.isdigit():
        raise ValueError("no HTTP answer")
    return keep_alive, False, int(length)


def header_in(head: bytes, name: str) -> str:
    """The value of a header, "" without one."""
    wanted = f"\r\n{name}:".encode("latin-1")
    if (at := head.lower().find(wanted)) < 0:
        return ""
    return head[at + len(wanted) :].partition(b"\r\n")[0].decode("latin-1").strip()


def _parse_body(status: int, head: bytes, body: bytes) -> HttpResponse:
    keep_alive, chunked, length = framing(status, head)
    if chunked:
        text, complete, rest = decode_chunks(body)
        return HttpResponse(status, text[:MAX_BODY_BYTES], complete, keep_alive and not rest)
    if length is None:
        return HttpResponse(status, body[:MAX_BODY_BYTES], False, False, until_closed=True)
    return HttpResponse(
        status, body[: min(length, MAX_BODY_BYTES)], len(body) >= length, keep_alive and len(body) == length
    )


def decode_chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    """Decode a chunked body: the data, whether it is complete, and the bytes after it.

    Raises ValueError for invalid chunks.
    """
    parts: list[bytes] = []
    while True:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            return b"".join(parts), False, b""
        size = int(line.partition(b";")[0], 16)
        if size < 0:
            raise ValueError("no HTTP answer")
        if size == 0:
            # Trailers end with an empty line.
            end = 0 if rest.startswith(b"\r\n") else rest.find(b"\r\n\r\n") + 2
            complete = rest.startswith(b"\r\n") or b"\r\n\r\n" in rest
            return b"".join(parts), complete, rest[end + 2 :] if complete else b""
        parts.append(rest[:size])
        if len(rest) < size + 2:
            return b"".join(parts), False, b""
        data = rest[size + 2 :]
