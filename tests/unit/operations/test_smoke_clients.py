"""What `smoke` says of a name that leads nowhere, or to somebody else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from nwchatctl.chat.smoke_test import SocketClosed, smoke
from nwchatctl.context import App, GlobalOptions
from nwchatctl.operations.smoke_clients import _explain_domain_errors

NAME = "chat.example.com"
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")


def failing(error: Exception) -> Callable[[], Any]:
    def connect() -> Any:
        raise error

    return connect


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (socket.gaierror(-2, "Name or service not known"), f"{NAME} does not resolve"),
        (CERTIFICATE, f"{NAME} leads to somebody who has no certificate for it"),
        (SocketClosed("the handshake was refused with HTTP 403"), f"HTTP 403, at {NAME}: if that leads"),
    ],
)
def test_every_connection_error_has_message_and_hint(error: Exception, message: str) -> None:
    app = App(options=GlobalOptions(sandbox=True))
    (step,) = smoke(lambda: _explain_domain_errors(app, NAME, failing(error)), lambda: 0.0, "nonce")
    assert (step.name, step.ok) == ("connect", False)
    assert message in step.detail
    assert "`nwchatctl --sandbox status` shows the record that it needs" in step.detail
