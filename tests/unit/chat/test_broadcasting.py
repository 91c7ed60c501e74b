"""An announcement: refused before anything happens, stored before it is sent, sent once."""

from __future__ import annotations

import pytest

from nwchat.limits import Limits
from nwchat.spreading import Counts
from nwchat.store import Appended, Dedup, Duplicate, Stored
from nwchat.wire import Message
from nwchatctl.chat.broadcasting import ID_SECONDS, SCOPE, broadcast, compose
from nwchatctl.errors import ChatError, Exit

LIMITS = Limits(max_message_chars=20, max_uname_chars=8)
ID = "01HF7YAT00AAAAAAAAAAAAAAAA"


def announcement(text: str = "hello", uname: str = "operator") -> Message:
    return compose(text, uname, LIMITS, new_id=ID, now_ms=1_700_000_000_000)


def test_composed_as_players_see_it() -> None:
    made = announcement("  Restart\x1b[2J at eight\u202e ", "the operator")
    assert made == Message(ID, "Restart[2J at eight", "the oper", "", 1_700_000_000_000, "announcement")


@pytest.mark.parametrize(
    ("text", "code"), [("", "text_empty"), (" \x00 ", "text_empty"), ("x" * 21, "text_too_long")]
)
def test_refused_before_anything_happens(text: str, code: str) -> None:
    with pytest.raises(ChatError) as caught:
        announcement(text)
    assert (caught.value.code, caught.value.exit_code) == (code, Exit.USAGE)


class Log:
    """Remembers in which order things happened; `earlier` is the id that a key was used for before."""

    def __init__(self, earlier: str = "") -> None:
        self.calls: list[tuple[object, ...]] = []
        self.earlier = earlier

    def append(self, message: Message, expires_at: int, dedup: Dedup | None) -> Appended:
        self.calls.append(("append", message.id, expires_at, dedup))
        return Duplicate(self.earlier) if self.earlier else Stored(message.id)

    def send(self, message: Message) -> Counts:
        self.calls.append(("send", message.id))
        return Counts(recipients=2, delivered=2)


def test_stored_then_sent() -> None:
    log = Log()
    sent = broadcast(announcement(), key="", retention_days=1, append=log.append, send=log.send)
    assert log.calls == [("append", ID, 1_700_086_400, None), ("send", ID)]
    assert (sent.id, sent.already_sent, sent.counts) == (ID, False, Counts(recipients=2, delivered=2))


def test_an_id_is_remembered_for_a_day_and_apart_from_clients() -> None:
    log = Log()
    broadcast(announcement(), key="restart", retention_days=1, append=log.append, send=log.send)
    assert log.calls[0][3] == Dedup(SCOPE, "restart", ID_SECONDS) == Dedup("broadcast", "restart", 86_400)


def test_the_second_time_nothing_is_sent() -> None:
    log = Log(earlier="01HF7YAT00BBBBBBBBBBBBBBBB")
    sent = broadcast(announcement(), key="restart", retention_days=1, append=log.append, send=log.send)
    assert [each[0] for each in log.calls] == ["append"]
    assert (sent.id, sent.already_sent, sent.counts) == (log.earlier, True, None)


def test_ephemeral_is_not_stored() -> None:
    log = Log()
    broadcast(announcement(), key="", retention_days=1, append=None, send=log.send)
    assert log.calls == [("send", ID)]
