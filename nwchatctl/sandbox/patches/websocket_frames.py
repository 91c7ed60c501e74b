"""Patches for hypercorn that measure WebSocket frames."""

from __future__ import annotations

from typing import Any

from hypercorn.protocol import ws_stream
from wsproto.events import TextMessage

from nwchatctl.sandbox.middleware import LARGEST_FRAME, MESSAGE_SIZE, exceeds


class FrameBuffer(ws_stream.WebsocketBuffer):
    """hypercorn's buffer of one message, which also measures its largest frame in bytes.

    AWS limits frames (a message may have several), and an ASGI app sees only messages. Data beyond a limit is
    dropped, because the connection is closed anyway.
    """

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length)
        self._frame = self._largest = self._total = 0

    def extend(self, event: Any) -> None:
        size = len(event.data.encode()) if isinstance(event, TextMessage) else len(event.data)
        self._frame += size
        self._total += size
        self._largest = max(self._largest, self._frame)
        if event.frame_finished:
            self._frame = 0
        if not (exceeds("frame_size", self._largest) or exceeds("message_size", self._total)):
            super().extend(event)

    def to_message(self) -> dict[str, Any]:
        message = {**super().to_message(), LARGEST_FRAME: self._largest}
        if exceeds("message_size", self._total):
            message[MESSAGE_SIZE] = self._total
        self._frame = self._largest = self._total = 0
        return message


def install() -> None:
    """Installs the buffer and disables permessage-deflate: a size on the wire must be the frame's size, and
    compressors for thousands of connections waste memory on loopback."""
    hypercorn: Any = ws_stream
    hypercorn.WebsocketBuffer = FrameBuffer
    hypercorn.server_extensions_handshake = lambda *_: None
