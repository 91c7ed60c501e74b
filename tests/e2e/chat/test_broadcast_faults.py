"""A broadcast while AWS fails: everybody in one count, and whoever is there reached in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.support.chat import Chat, connection_row, gather, unique
from tests.e2e.support.fault_proxy import Call, Fault, SeededFaults, proxy
from tests.e2e.support.proxied_sandbox import proxied_sandbox

SOCKETS = 40
DEAD = 10


class NoBackoff(SeededFaults):
    """Without answers that never come, each of which takes as long as the tool waits. Of the posts, whose
    paths are never the same, every so many-th fails, each time in another way."""

    def __call__(self, call: Call) -> Fault | None:
        if call.service != "execute-api":
            fault = super().__call__(call)
            return Fault.CUT if fault is Fault.LATE else fault
        with self._lock:
            self.posts += 1
            if self.posts % round(1 / self.share):
                return None
            self.failed += 1
            return _WAYS[self.failed % len(_WAYS)]

    posts = failed = 0


_WAYS = [each for each in Fault if each not in (Fault.LATE, Fault.CONFLICT, Fault.TRANSACTION_CONFLICT)]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_every_recipient_is_counted_once_and_receives_it(chat: Chat, tmp_path: Path, share: float) -> None:
    chat.wait_until_empty()
    text, key = unique(), unique("id")
    seeded = NoBackoff(seed=7, share=share)
    with (
        chat.players(SOCKETS) as players,
        proxy(chat.sandbox.endpoint, seeded) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "before") as before,
    ):
        chat.put_connections(*(connection_row(f"stale-{number}") for number in range(DEAD)))
        far = Chat(before, chat.name, chat.settings)
        done = far.nwchatctl("--timeout", "50", "broadcast", "--id", key, text, "--json")
        sent = done.data
        counted = sent["delivered"] + sent["gone"] + sent["failed"]
        assert (sent["recipients"], counted) == (SOCKETS + DEAD, SOCKETS + DEAD), done
        assert sent["throttled_retries"] > 0
        assert done.code == (5 if sent["failed"] else 0)
        if sent["failed"]:
            # Those not reached are tried again by the same command.
            again = chat.json("broadcast", "--id", key, text)
            assert (again["resumed"], again["recipients"]) == (True, sent["failed"])
        received_ids = [
            {frame["id"] for frame in frames if frame.get("message") == text} for frames in gather(*players)
        ]
        assert received_ids == [{sent["id"]}] * SOCKETS
    chat.delete_connections(*(f"stale-{number}" for number in range(DEAD)))
    assert seeded.failed >= SOCKETS * share


def test_run_ends_with_error_when_no_connection_is_reachable(chat: Chat, tmp_path: Path) -> None:
    chat.wait_until_empty()
    text = unique()

    def with_closed_sockets(call: Call) -> Fault | None:
        return Fault.BROKEN_503 if call.service == "execute-api" else None

    with (
        chat.players(3) as players,
        proxy(chat.sandbox.endpoint, with_closed_sockets) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "before") as before,
    ):
        far = Chat(before, chat.name, chat.settings)
        done = far.nwchatctl("--timeout", "50", "broadcast", text, "--json")
        assert len(players) == 3
    assert done.code == 5
    assert (done.data["recipients"], done.data["failed"]) == (3, 3)
    assert "3 times: 503" in done.err
