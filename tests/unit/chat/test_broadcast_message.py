"""An announcement, before anything happens."""

from __future__ import annotations

import pytest

from nwchat.model.limits import Limits
from nwchat.model.wire import Message
from nwchatctl.chat.broadcast_message import compose
from nwchatctl.errors import ChatError, Exit

LIMITS = Limits(max_message_chars=20, max_uname_chars=8)
ID = "01HF7YAT00AAAAAAAAAAAAAAAA"


def announcement(text: str = "hello", uname: str = "operator") -> Message:
    return compose(text, uname, LIMITS, new_id=ID, now_ms=1_700_000_000_000)


def test_message_is_normalized() -> None:
    made = announcement("  Restart\x1b[2J at eight\u202e ", "the operator")
    assert made == Message(ID, "Restart[2J at eight", "the oper", "", 1_700_000_000_000, "announcement")


@pytest.mark.parametrize(
    ("text", "code"), [("", "text_empty"), (" \x00 ", "text_empty"), ("x" * 21, "text_too_long")]
)
def test_invalid_message_is_refused(text: str, code: str) -> None:
    with pytest.raises(ChatError) as caught:
        announcement(text)
    assert (caught.value.code, caught.value.exit_code) == (code, Exit.USAGE)
