"""`chats list`: how a chat is shown."""

from __future__ import annotations

from nwchatctl.commands.chats.list_chats import _row
from nwchatctl.deploy.account_chats import AccountChat


def test_resources_are_counted_in_words() -> None:
    chat = AccountChat("dojo", "us-east-2", (("api", 2), ("queue", 1), ("token-keys", 1)))
    assert _row(chat, ("dojo", "us-east-2")) == (
        "dojo",
        "us-east-2",
        "deployed",
        "current",
        "2 apis, 1 queue, 1 token-keys",
    )
