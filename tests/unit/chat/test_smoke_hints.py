"""Each failed step of the smoke test has something to do about it."""

from __future__ import annotations

import pytest

from nwchatctl.chat.smoke_hints import failure_hint
from nwchatctl.chat.smoke_test import Step


@pytest.mark.parametrize(
    ("name", "detail", "hint"),
    [
        ("connect", "the handshake was refused with HTTP 403", "`nwchatctl ban list`"),
        ("connect", "the handshake was refused with HTTP 403", "`nwchatctl status`"),
        ("connect", "the handshake was refused with HTTP 429", "later"),
        ("connect", "the handshake was refused with HTTP 500", "`nwchatctl invoke connect`"),
        ("connect", "Name or service not known", "`nwchatctl status`"),
        ("ack", 'the chat answered {"message": "Internal server error"}', "`nwchatctl invoke message`"),
        ("ack", "no ack within 10 s", "`nwchatctl status`"),
        ("messages", "HTTP 500", "`nwchatctl invoke history`"),
        ("close", "", "`nwchatctl status`"),
    ],
)
def test_hints(name: str, detail: str, hint: str) -> None:
    found = failure_hint(Step(name, False, 1.0, detail), lambda *words: " ".join(("nwchatctl", *words)))
    assert hint in found
