"""`connections list --verify`, `show` and `kick`, with real sockets."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.support.chat import (
    SECONDS,
    UNREACHABLE,
    Chat,
    Player,
    connection_row,
    eventually,
    now_ms,
    unique,
)
from tests.e2e.support.fault_proxy import Call, Fault, proxy
from tests.e2e.support.proxied_sandbox import proxied_sandbox

KICKED = {"kicked", "gone", "failed", "dry_run", "duration_seconds"}
HOUR_MS = 3_600_000


def closed(player: Player) -> bool:
    """Whether its socket ends, whatever came before."""
    try:
        while True:
            player.socket.recv(timeout=SECONDS)
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False


def ids(chat: Chat, *players: Player) -> list[str]:
    """The connection ids of those players, whom nobody else is named like. What they said has been sent to
    all, and forgets nobody's row any more: the sandbox takes a socket's frames one after another."""
    found = []
    for each in players:
        name = unique("name")[:40]
        each.send({"message": "here", "uname": name})
        each.send({"action": "ping"})
        each.receive_type("pong")
        found.append(_names(chat)[name])
    return found


def _names(chat: Chat) -> dict[str, str]:
    return {row.get("uname", {}).get("S", ""): key for key, row in chat.rows().items()}


# list -----------------------------------------------------------------------------------------


def test_each_is_verified(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(2):
        live = set(chat.rows())
        chat.put_connections(connection_row("stale-old"), connection_row(UNREACHABLE))
        plain = chat.json("connections", "list")
        asked = chat.json("connections", "list", "--verify")
        shown = chat.nwchatctl("connections", "list", "--verify", "--sort", "seen")
    chat.delete_connections("stale-old", UNREACHABLE)
    assert [each for each in plain["connections"] if "verified" in each] == []
    verified = {each["connection_id"]: each["verified"] for each in asked["connections"]}
    assert verified == {**dict.fromkeys(live, True), "stale-old": False, UNREACHABLE: None}
    assert asked["count"] == 4
    last = {cells[0]: cells[-1] for cells in (line.split("\t") for line in shown.out.splitlines())}
    assert last == {**dict.fromkeys(live, "yes"), "stale-old": "gone", r"no\nbody": "unknown"}
    assert shown.code == 0


def test_only_the_old_and_in_order(chat: Chat) -> None:
    chat.wait_until_empty()
    rows = [
        connection_row(f"stale-{age}", age_ms=age * HOUR_MS, uname=f"name {9 - age}") for age in (1, 3, 2)
    ]
    rows[0]["last_seen_at"] = {"N": str(now_ms())}
    chat.put_connections(*rows)

    def listed(*words: str) -> list[str]:
        return [each["connection_id"] for each in chat.json("connections", "list", *words)["connections"]]

    assert listed() == ["stale-3", "stale-2", "stale-1"]
    assert listed("--sort", "name") == ["stale-3", "stale-2", "stale-1"]
    assert listed("--older-than", "30m") == ["stale-3", "stale-2"]
    assert listed("--older-than", "150m", "--sort", "none") == ["stale-3"]
    assert listed("--limit", "1", "--sort", "seen") == ["stale-3"]
    assert len(listed("--limit", "2", "--sort", "none")) == 2
    chat.delete_connections("stale-1", "stale-2", "stale-3")


def test_missing_chat_has_no_connections(chat: Chat) -> None:
    for words in (("list",), ("list", "--verify"), ("show", "x"), ("prune",), ("kick", "x")):
        done = chat.nwchatctl("connections", *words, "--json", NWCHAT_CHAT__NAME="e2e-nowhere")
        assert (done.code, done.out) == (4, ""), words
        assert json.loads(done.err)["error"]["code"] == "not_deployed"
    quiet = chat.nwchatctl("-q", "connections", "list", NWCHAT_CHAT__NAME="e2e-nowhere")
    assert quiet.code == 4


# show -----------------------------------------------------------------------------------------


def test_a_row_and_its_socket(chat: Chat) -> None:
    chat.wait_until_empty()
    began = now_ms()
    with chat.players(1, user_agent_header="First/1.0"):
        (key,) = chat.rows()
        done = chat.nwchatctl("connections", "show", key, "--json")
        shown = chat.nwchatctl("connections", "show", key)
        chat.delete_connections(key)
        alone = chat.nwchatctl("connections", "show", key, "--json")
    assert (done.code, done.err) == (0, "")
    assert {
        key: done.data[key] for key in ("connection_id", "source_ip", "user_agent", "row", "verified")
    } == {
        "connection_id": key,
        "source_ip": "127.0.0.1",
        "user_agent": "First/1.0",
        "row": True,
        "verified": True,
    }
    gateway = done.data["gateway"]
    assert (gateway["source_ip"], gateway["user_agent"]) == ("127.0.0.1", "First/1.0")
    assert gateway["connected_at"][:10] == done.data["connected_at"][:10]
    assert abs(began - now_ms()) < 60_000
    assert ["API Gateway", "open"] in [line.split("\t") for line in shown.out.splitlines()]
    assert (alone.code, alone.data["row"], alone.data["verified"]) == (0, False, True)
    assert "its row is missing: it receives nothing" in alone.err


def test_row_without_socket_and_unknown_id(chat: Chat) -> None:
    chat.wait_until_empty()
    chat.put_connections(connection_row("-stale=", uname="tchalvak"), connection_row(UNREACHABLE))
    stale = chat.nwchatctl("connections", "show", "--json", "--", "-stale=")
    unknown = chat.nwchatctl("connections", "show", "--json", "--", UNREACHABLE)
    chat.delete_connections("-stale=", UNREACHABLE)
    assert (stale.code, stale.data["uname"], stale.data["verified"]) == (0, "tchalvak", False)
    assert stale.data["gateway"] is None
    assert stale.err.endswith("only its row is left: nwchatctl connections prune\n")
    assert (unknown.code, unknown.data["verified"]) == (0, None)
    assert "does not say whether it is open: 403" in unknown.err
    nothing = chat.nwchatctl("connections", "show", "--json", "--", "-stale=")
    assert (nothing.code, nothing.out) == (4, "")
    assert json.loads(nothing.err)["error"]["code"] == "no_connection"


NO_IDS = ("..", "x" * 3000, "\udcff")
"""What cannot be an id at all: another path, too long, no UTF-8."""


@pytest.mark.parametrize("words", [("show",), ("kick",), ("kick", "-n")])
@pytest.mark.parametrize("text", NO_IDS, ids=["dots", "long", "bytes"])
def test_what_cannot_be_an_id_is_no_connection(chat: Chat, words: tuple[str, ...], text: str) -> None:
    done = chat.nwchatctl("connections", *words, "--json", "--", text)
    assert (done.code, json.loads(done.err)["error"]["code"]) == (4, "no_connection")


def test_what_cannot_be_an_id_leaves_the_others(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(1) as (one,):
        (first,) = ids(chat, one)
        done = chat.nwchatctl("connections", "kick", "--json", first, ".", "..")
        assert closed(one)
    assert (done.code, done.data["kicked"], done.data["failed"], done.data["unknown"]) == (
        5,
        1,
        0,
        [".", ".."],
    )


# kick -----------------------------------------------------------------------------------------


def test_ids_that_begin_with_a_dash_need_no_separator(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(4) as players:
        found = ids(chat, *players)
        (dashed,) = (each for each in found if each.startswith("-"))
        assert {each[0] for each in found} >= {"-", "_"}, "the sandbox makes ids of every kind"
        shown = chat.json("connections", "show", dashed)
        assert (shown["connection_id"], shown["verified"]) == (dashed, True)
        assert chat.json("connections", "kick", *found)["kicked"] == 4
        assert all(closed(each) for each in players)


def test_some_are_kicked_and_others_stay(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(3) as (one, two, three):
        first, second, _ = ids(chat, one, two, three)
        chat.put_connections(connection_row("-stale=", age_ms=HOUR_MS))
        would = chat.nwchatctl("connections", "kick", "-n", "--json", "--", first, "-stale=").data
        assert set(would) >= KICKED
        assert (would["kicked"], would["open"], would["gone"], would["dry_run"]) == (0, 1, 1, True)
        assert {first, "-stale="} <= chat.rows().keys()
        done = chat.nwchatctl("connections", "kick", "--", first, "-stale=", first, second, "nobody=")
        assert done.code == 5
        assert done.out == "2 kicked, 1 gone already, 1 unknown\n"
        assert done.err.endswith("warning: no connection is called nobody=\n")
        assert [closed(one), closed(two)] == [True, True]
        eventually(lambda: len(chat.rows()), 1)
        text = unique()
        three.send(text)
        assert three.receive_text(text)


def test_all_of_one_player(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players(3) as (one, two, three):
        for each in (one, two):
            each.send({"message": unique(), "sender_id": "128274", "uname": "tchalvak"})
            each.receive_type("message")
        eventually(lambda: len([row for row in chat.rows().values() if "sender_id" in row]), 2)
        done = chat.json("connections", "kick", "--user", "tchalvak")
        assert (done["kicked"], done["gone"], done["failed"]) == (2, 0, 0)
        assert [closed(one), closed(two)] == [True, True]
        eventually(lambda: len(chat.rows()), 1)
        none = chat.nwchatctl("connections", "kick", "--user", "tchalvak", "--json")
        assert (none.code, none.out) == (4, "")
        text = unique()
        three.send(text)
        assert three.receive_text(text)


def test_kicking_all_requires_the_chat_name(chat: Chat) -> None:
    chat.wait_until_empty()
    with ExitStack() as stack:
        players = stack.enter_context(chat.players(5))
        for words in ((), ("--yes",), ("--confirm", "other")):
            refused = chat.nwchatctl("connections", "kick", "--all", *words)
            assert (refused.code, refused.out) == (7, ""), words
        assert len(chat.rows()) == 5
        assert chat.json("connections", "kick", "--all", "-n")["open"] == 5
        quiet = chat.nwchatctl("-q", "connections", "kick", "--all", "--confirm", chat.name)
        assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
        assert all(closed(each) for each in players)
        eventually(lambda: len(chat.rows()), 0)
        again = chat.json("connections", "kick", "--all", "--confirm", chat.name)
        assert (again["kicked"], again["gone"]) == (0, 0)


@pytest.mark.parametrize("words", [(), ("x", "--all"), ("--user", "x", "--all"), ("x", "--user", "y")])
def test_only_one_kind_of_selection_is_accepted(chat: Chat, words: tuple[str, ...]) -> None:
    done = chat.nwchatctl("connections", "kick", *words, "--json")
    assert (done.code, json.loads(done.err)["error"]["code"]) == (2, "usage")


def test_connection_that_cannot_be_closed_is_a_failure(
    chat: Chat, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chat.wait_until_empty()

    def refusing(call: Call) -> Fault | None:
        return Fault.BROKEN_503 if call.service == "execute-api" else None

    with (
        chat.players(1) as (one,),
        proxy(chat.sandbox.endpoint, refusing) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path_factory.mktemp("before") / "it") as before,
    ):
        (key,) = chat.rows()
        done = Chat(before, chat.name, chat.settings).nwchatctl("connections", "kick", key)
        assert (done.code, done.out) == (5, "0 kicked, 1 failed\n")
        text = unique()
        one.send(text)
        assert one.receive_text(text)
