"""Commands that delete something, when the answer to the deletion is lost: they do not say that there was
nothing."""

from __future__ import annotations

from nwchat.model.bans import Ban, ban_row
from tests.e2e.support.chat import Chat, eventually, now_ms, unique
from tests.e2e.support.fault_proxy import Call, Fault, Proxy


class FirstAnswerLost:
    """Loses the answer to the first call whose name begins with `call`."""

    def __init__(self, call: str) -> None:
        self.lost = 0
        self._call = call

    def __call__(self, call: Call) -> Fault | None:
        if self.lost or not str(call).startswith(self._call):
            return None
        self.lost += 1
        return Fault.RESET_AFTER


def test_a_deleted_message_is_shown_as_deleted(proxied_chat: Chat, fault_proxy: Proxy) -> None:
    sent, losing = proxied_chat.json("broadcast", unique()), FirstAnswerLost("dynamodb DeleteItem")
    with fault_proxy.choosing(losing):
        done = proxied_chat.json("history", "delete", sent["id"])
    assert ([each["id"] for each in done["deleted"]], done["not_found"]) == ([sent["id"]], [])
    assert losing.lost == 1


def test_a_removed_ban_is_shown_as_removed(proxied_chat: Chat, fault_proxy: Proxy) -> None:
    row = ban_row(Ban("user#lost", "lost", now_ms() + 60_000))
    proxied_chat.put(proxied_chat.messages_table, [row])
    losing = FirstAnswerLost("dynamodb DeleteItem")
    with fault_proxy.choosing(losing):
        done = proxied_chat.json("ban", "remove", "--user", "lost")
    assert ([each["who"] for each in done["removed"]], done["not_found"], losing.lost) == (["lost"], [], 1)


def test_a_connection_that_was_closed_is_not_unknown(proxied_chat: Chat, fault_proxy: Proxy) -> None:
    proxied_chat.wait_until_empty()
    losing = FirstAnswerLost("execute-api DELETE")
    with proxied_chat.players(1):
        (key,) = proxied_chat.rows()
        # As one that TTL has deleted.
        proxied_chat.delete_connections(key)
        with fault_proxy.choosing(losing):
            done = proxied_chat.json("connections", "kick", key)
    assert (done["unknown"], losing.lost) == ([], 1)
    eventually(lambda: list(proxied_chat.rows()), [])
