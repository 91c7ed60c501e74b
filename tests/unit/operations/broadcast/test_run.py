"""An announcement that is in the history, and that then nobody could be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nwchat.model.wire import Message
from nwchatctl.config.settings import Settings
from nwchatctl.net.proxies import UnsupportedProxy
from nwchatctl.operations.broadcast import run
from nwchatctl.operations.broadcast.request import BroadcastRequest
from nwchatctl.signals import Terminated


@pytest.mark.parametrize("error", [RuntimeError("AWS refuses Scan"), Terminated()])
@pytest.mark.parametrize("ephemeral", [False, True])
def test_failure_after_storing_notes_message_id(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, ephemeral: bool
) -> None:
    def send(*_: object) -> None:
        raise error

    monkeypatch.setattr(run, "send", send)
    stored: list[Message] = []
    app: Any = SimpleNamespace(
        settings=Settings(),
        store=SimpleNamespace(append=lambda message, _: stored.append(message)),
        connections_url="https://127.0.0.1/production",
    )
    message = Message("01HX", "hi", "operator", "", 1)
    with pytest.raises(type(error)) as raised:
        run.run(app, BroadcastRequest(message, "", "", ephemeral, 100.0))
    assert stored == ([] if ephemeral else [message])
    # It is the same error every time.
    notes = error.__dict__.pop("__notes__", [])
    assert raised.value is error
    assert notes == ([] if ephemeral else ["it is in the history, as 01HX"])


def test_nothing_is_stored_where_connections_cannot_be_reached() -> None:
    class Unreachable:
        settings = Settings()

        @property
        def connections_url(self) -> str:
            raise UnsupportedProxy("HTTPS_PROXY names a SOCKS proxy")

    app: Any = Unreachable()
    message = Message("01HX", "hi", "operator", "", 1)
    with pytest.raises(UnsupportedProxy) as raised:
        run.run(app, BroadcastRequest(message, "", "", False, 100.0))
    assert not getattr(raised.value, "__notes__", [])
