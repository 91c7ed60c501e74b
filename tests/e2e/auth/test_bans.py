"""Bans and limits, with real sockets."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import typer
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nwchat.model.bans import Ban, ban_row
from nwchat.model.ids import ulid
from nwchat.model.limits import Limits
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchat.storage.store import Store
from nwchatctl.chat.connection_prune import prune
from nwchatctl.operations import kick
from tests.e2e.support.chat import SECONDS, Chat, Frame, Player, connection_row, eventually, now_ms, unique
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

HERE = "127.0.0.1"
ENVIRONMENTS = 4
"""Of one function at the same time, at most (`nwchatctl.sandbox.patches.ministack.MAX_WORKERS`)."""
WINDOW = {"NWCHAT_CHAT__RATE_SECONDS": "1000000"}
"""So long that no flood has a second window: those of budgets begin at multiples of it."""


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    settings = {**WINDOW, "NWCHAT_FUNCTIONS__LOG_LEVEL": "DEBUG"}
    made = Operator(sandbox, "e2e-bans", tmp_path_factory.mktemp("home"), **settings)
    made.deploy()
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def room(operator: Operator) -> Chat:
    return Chat(operator.sandbox, operator.name, WINDOW, operator.url)


@pytest.fixture(autouse=True)
def nobody_stays_banned(room: Chat) -> Iterator[None]:
    yield
    for each in rows(room):
        key = {name: each[name] for name in ("room", "id")}
        room.dynamodb.delete_item(TableName=room.messages_table, Key=key)


def rows(room: Chat) -> list[Frame]:
    """The rows of bans."""
    found: list[Frame] = room.dynamodb.query(
        TableName=room.messages_table,
        KeyConditionExpression="room = :room",
        ExpressionAttributeValues={":room": {"S": "bans"}},
    )["Items"]
    return found


def status(room: Chat) -> int:
    """What a handshake is answered with."""
    try:
        with room.players(1):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def send_message(player: Player, text: str, **who: str) -> str:
    """What becomes of a message: `ack`, or the code of the error."""
    player.send({"message": text, "client_id": text[-40:], **who})
    (answer,) = (
        each for each in player.receive_until(lambda frame: "client_id" in frame) if "client_id" in each
    )
    assert answer["client_id"] == text[-40:]
    return str(answer.get("code", answer["type"]))


# Who is banned ------------------------------------------------------------------------------------


def test_banned_user_is_muted_and_others_are_not(operator: Operator, room: Chat) -> None:
    with room.players() as (one, other):
        assert send_message(one, unique(), uname="Bob", sender_id="7") == "ack"
        made = operator.json("ban", "add", "--user", "ＢＯＢ", "--for", "1h", "--reason", "spam")
        refused, delivered = unique("refused"), unique("heard")
        one.send({"message": refused, "uname": " bob ", "sender_id": "7", "client_id": "k"})
        (error,) = one.receive_until(lambda frame: frame.get("type") == "error")[-1:]
        assert (error["code"], error["client_id"]) == ("muted", "k")
        assert error["detail"].startswith("you are banned from this chat until 20")
        assert send_message(other, delivered, uname="Eve", sender_id="8") == "ack"
        # The neighbour's message comes to the banned one as well, and theirs to nobody.
        assert one.receive_text(delivered)["uname"] == "Eve"
        assert refused not in [each["message"] for each in other.history(20)]
        assert operator.json("ban", "remove", "--user", "bOb")["removed"][0]["who"] == "ＢＯＢ"
        assert send_message(one, unique(), uname="Bob", sender_id="7") == "ack"
    (ban,) = made["bans"]
    assert (ban["kind"], ban["who"], ban["change"], ban["reason"]) == ("user", "ＢＯＢ", "added", "spam")


def test_banned_address_cannot_connect_and_its_open_sockets_are_muted(operator: Operator, room: Chat) -> None:
    with room.players(1) as (one,):
        assert status(room) == 101
        operator.json("ban", "add", "--address", f"::ffff:{HERE}", "--forever")
        assert status(room) == 403
        assert send_message(one, unique()) == "muted"
        one.send({"action": "history", "limit": 1, "client_id": "h"})
        assert one.receive()["code"] == "muted"
        one.send({"action": "ping"})
        assert one.receive() == {"type": "pong"}
        operator.json("ban", "remove", "--address", HERE)
        assert status(room) == 101
        assert send_message(one, unique()) == "ack"


def test_expired_ban_with_row_has_no_effect(operator: Operator, room: Chat) -> None:
    operator.json("ban", "add", "--address", HERE, "--for", "10ms")
    eventually(lambda: status(room), 101)
    (row,) = rows(room)
    assert int(row["expires_at"]["N"]) > now_ms() / 1000
    assert operator.json("ban", "list") == {"bans": [], "count": 0}
    (ended,) = operator.json("ban", "list", "--all")["bans"]
    assert (ended["who"], ended["ended"]) == (HERE, True)
    assert "(ended)" in operator.run("ban", "list", "--all").out


def test_logs_have_hashes_instead_of_names_addresses_and_texts(operator: Operator, room: Chat) -> None:
    """Also at the level DEBUG, which this chat has. The events are those that API Gateway sends, but invoked
    directly: the emulator drops the log of an invocation by a socket."""
    name, said = unique("Tchalvak"), unique("secret")
    request = {"connectionId": "nobody", "connectedAt": now_ms(), "identity": {"sourceIp": HERE}}
    frame = json.dumps({"message": said, "uname": name, "sender_id": name, "client_id": name})
    logged = [
        *logs_of(room, "connect", {"requestContext": request, "headers": {"User-Agent": said}}),
        *logs_of(room, "message", {"requestContext": request, "body": frame}),
    ]
    operator.json("ban", "add", "--user", name, "--address", HERE, "--forever")
    refused = [
        *logs_of(room, "connect", {"requestContext": request}),
        *logs_of(room, "message", {"requestContext": request, "body": frame}),
    ]
    logged += [*refused, *logs_of(room, "disconnect", {"requestContext": request})]
    found = operator.json("ban", "hash", "--user", name, "--address", HERE)["hashes"]
    assert [each["who"] for each in found] == [name, HERE]
    of_address = found[1]["hash"]
    assert [(each["message"], each["address"]) for each in refused if "address" in each] == [
        ("banned", of_address),
        ("refused", of_address),
    ]
    assert [each["ban"] for each in refused if "ban" in each] == [of_address]
    texts = json.dumps(logged).casefold()
    assert [each for each in (name, said, HERE) if each.casefold() in texts] == []


def logs_of(room: Chat, function: str, event: Frame) -> list[Frame]:
    """The lines that the function logs about an event."""
    name, payload = room.function(function), json.dumps(event).encode()
    answer = room.functions.invoke(FunctionName=name, Qualifier="live", LogType="Tail", Payload=payload)
    assert "FunctionError" not in answer
    lines = b64decode(answer["LogResult"]).decode().splitlines()
    return [json.loads(each) for each in lines if each.startswith("{")]


# The commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "whose"),
    [
        (("--user", "Bob", "--user", "bob"), ["bob"]),
        (("--address", "2001:db8::1"), ["2001:db8::1", "2001:db8::/64"]),
        (("--address", "2001:db8::/64", "--user", "x"), ["x", "2001:db8::/64"]),
    ],
)
def test_hashes_of_users_and_addresses(operator: Operator, words: tuple[str, ...], whose: list[str]) -> None:
    found = operator.json("ban", "hash", *words)["hashes"]
    assert [each["who"] for each in found] == whose
    assert len({each["hash"] for each in found}) == len(whose)
    assert all(len(each["hash"]) == 12 for each in found)
    shown = operator.run("ban", "hash", *words).out
    assert all(each["hash"] in shown and each["who"] in shown for each in found)


def test_hashes_need_a_target_and_a_chat(operator: Operator) -> None:
    assert operator.run("ban", "hash").code == 2
    elsewhere = operator.run("ban", "hash", "--user", "x", NWCHAT_CHAT__NAME="e2e-none")
    assert elsewhere.error is not None
    assert (elsewhere.code, elsewhere.error.code) == (4, "not_deployed")


def test_adding_again_changes_the_end_and_repeating_changes_nothing(operator: Operator) -> None:
    add = ("ban", "add", "--user", "Bob", "--user", "bob", "--until")
    first = operator.json(*add, "2100-01-01T00:00Z", "--reason", "spam")["bans"]
    ran = operator.run(*add, "2100-01-01T00:00Z", "--json")
    second = operator.json(*add, "2101-01-01T00:00Z")["bans"]
    assert [each["change"] for each in (*first, *ran.data["bans"], *second)] == [
        "added",
        "unchanged",
        "changed",
    ]
    assert ran.resource_writes == []
    assert second[0] == {
        **first[0],
        "who": "bob",
        "change": "changed",
        "until": "2101-01-01T00:00:00.000Z",
        "before_until": "2100-01-01T00:00:00.000Z",
        "before_who": "bob",
    }
    shown = operator.run(*add, "2102-01-01T00:00Z")
    assert shown.out.startswith("bob is banned until 2102-01-01")
    assert "; it was until 2101-01-01" in shown.out


def test_a_dry_run_changes_nothing(operator: Operator, room: Chat) -> None:
    would = operator.run("ban", "add", "--user", "Bob", "--forever", "-n")
    assert (would.code, would.out, would.resource_writes) == (0, "Bob would be banned forever\n", [])
    operator.json("ban", "add", "--user", "Bob", "--forever")
    ran = operator.run("ban", "remove", "--user", "BOB", "-n")
    assert (ran.code, ran.out, ran.resource_writes) == (
        0,
        "Bob would no longer be banned; it was forever\n",
        [],
    )
    assert len(rows(room)) == 1


def test_absent_or_expired_ban_cannot_be_removed(operator: Operator, room: Chat) -> None:
    room.put(room.messages_table, [ban_row(Ban("user#eve", "Eve", now_ms() - 1))])
    operator.json("ban", "add", "--user", "Bob", "--forever")
    none = operator.run("ban", "remove", "--user", "Eve", "--json")
    assert none.error is not None
    assert (none.code, none.error.code) == (4, "no_ban")
    some = operator.run("ban", "remove", "--user", "Eve", "--user", "Bob", "--json")
    assert (some.code, some.data["not_found"]) == (5, ["Eve"])
    assert [each["who"] for each in operator.json("ban", "list", "--all")["bans"]] == ["Eve"]


def test_the_list_is_for_people_and_for_scripts(operator: Operator, room: Chat) -> None:
    operator.json(
        "ban", "add", "--user", "Bob", "--address", "2001:DB8::1/64", "--forever", "--reason", "a\tb"
    )
    hostile = Ban("user#x", "\x1b[2J[/x]\n", now_ms() + 60_000)
    room.put(room.messages_table, [ban_row(hostile)])
    listed = operator.json("ban", "list")
    assert [each["who"] for each in listed["bans"]] == ["2001:db8::/64", "Bob", hostile.who]
    assert listed["bans"][1].keys() == {"kind", "who", "until", "since", "by", "reason", "ended"}
    assert (listed["count"], listed["bans"][1]["by"]) == (3, "nwchat-operator")
    lines = [each.split("\t") for each in operator.run("ban", "list").out.splitlines()]
    assert lines[1][:3] == ["user", "Bob", "forever"]
    assert lines[2][1] == r"\x1b[2J[/x]\n"


WITH = ("--user", "Bob")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("add", *WITH), "a ban needs an end"),
        (("add", *WITH, "--for", "1h", "--forever"), "--for and --forever cannot be given together"),
        (("add", *WITH, "--until", "2h"), "counts back"),
        (("add", *WITH, "--until", "2020-01-01"), "is over"),
        (("add", *WITH, "--for", "9000w", "--until", "2h"), "--for and --until cannot be given together"),
        (("add", *WITH, "--for", "253402000000s"), "the year 9999"),
        (("add", "--forever"), "needs to know whom"),
        (("remove",), "needs to know whom"),
        (("add", "--user", " ", "--forever"), "--user is empty"),
        (("add", "--user", "\u200b", "--forever"), "something to see"),
        (("add", "--user", "a\x1b[2J", "--forever"), "characters in it"),
        (("add", "--user", "a\nb", "--forever"), "characters in it"),
        (("add", "--user", "x" * 65, "--forever"), "longer than 64"),
        (("add", "--address", "", "--forever"), "--address is empty"),
        (("add", "--address", "ninjawars.net", "--forever"), "no address"),
        (("add", "--address", "fe80::1%eth0", "--forever"), "no address"),
        (("add", "--address", "10.0.0.0/8", "--forever"), "is a network"),
        (("add", "--address", "2001:db8::/48", "--forever"), "is a network"),
        (("add", "--address", "10.0.0.0/64", "--forever"), "is a network"),
        (("add", *WITH, "--forever", "--reason", "x" * 201), "200 characters"),
    ],
)
def test_invalid_arguments_are_refused(operator: Operator, argv: tuple[str, ...], message: str) -> None:
    ran = operator.run("ban", *argv)
    assert ran.error is not None
    assert (ran.code, ran.error.code, ran.calls) == (2, "usage", ())
    assert message in ran.error.message
    assert ran.error.hint


def test_no_command_about_messages_sees_a_ban(operator: Operator, room: Chat, tmp_path: Any) -> None:
    operator.json("ban", "add", "--user", "Mallory", "--address", "192.0.2.7", "--forever")
    with room.players(1) as (one,):
        text = unique()
        one.send(text)
        one.receive_text(text)
        assert "mallory" not in json.dumps(one.history(50)).lower()
    assert "mallory" not in operator.run("history", "tail", "--since", "1d", "--json").out.lower()
    assert operator.run("history", "delete", "user#mallory").code == 4
    # The messages of the last 60 s are in no export.
    date = now_ms() - 120_000
    old = Message(ulid(date, bytes(10)), text, "one", "1", date)
    room.put(room.messages_table, [message_row(old, date // 1000 + 86_400)])
    file = tmp_path / "all.jsonl"
    operator.json("history", "export", str(file))
    assert text in file.read_text()
    assert "mallory" not in file.read_text().lower()
    assert operator.json("history", "trim", "--keep", "0", "--confirm", operator.name)["deleted"] >= 1
    assert operator.json("ban", "list")["count"] == 2
    assert operator.plan() == []


# Kicked -------------------------------------------------------------------------------------------


def ending(player: Player) -> float:
    """When the socket's end is seen, by the monotonic clock."""
    try:
        while True:
            player.socket.recv(timeout=SECONDS)
    except ConnectionClosed:
        return time.monotonic()


def test_kicked_and_banned_user_is_disconnected_and_cannot_reconnect(
    operator: Operator, room: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[float] = []
    banned_by_then: list[int] = []

    def timed(*given: Any, **named: Any) -> Any:
        banned_by_then.append(len(rows(room)))
        began.append(time.monotonic())
        return prune(*given, **named)

    monkeypatch.setattr(kick, "prune", timed)
    with room.players() as (one, other), ThreadPoolExecutor(1) as pool:
        assert send_message(one, unique(), uname="Bob", sender_id="7") == "ack"
        assert send_message(other, unique(), uname="Eve", sender_id="8") == "ack"
        would = operator.json("connections", "kick", "--user", "BOB", "--ban", "1h", "-n")
        # As the ban compares: its case is no other name.
        assert [each["who"] for each in would["banned"]] == ["BOB"]
        assert (rows(room), would["open"]) == ([], 1)
        began.clear()
        banned_by_then.clear()
        end: Future[float] = pool.submit(ending, one)
        done = operator.json("connections", "kick", "--user", "Bob", "--ban", "1h")
        assert end.result() - began[0] < SECONDS
        assert banned_by_then == [1], "banned before anything is closed"
        assert (done["kicked"], done["failed"], [each["who"] for each in done["banned"]]) == (1, 0, ["Bob"])
        with room.players(1) as (back,):
            assert send_message(back, unique(), uname="bob") == "muted"
            text = unique()
            assert send_message(other, text, uname="Eve", sender_id="8") == "ack"
            assert back.receive_text(text)
            # That very socket is of somebody whom the ban is on, however the name is written.
            hers = operator.json("connections", "kick", "--user", "Bob", "--ban", "1h")
            assert (hers["kicked"], ending(back) > 0) == (1, True)
        eventually(lambda: len(room.rows()), 1)
        # There is nobody to kick now, and the ban is what was asked for as well.
        again = operator.run("connections", "kick", "--user", "Bob", "--ban", "forever")
        assert (again.code, again.out.splitlines()[1]) == (0, "0 kicked")
        assert again.out.startswith("Bob is banned forever; it was until ")


def test_connection_id_is_banned_by_address_because_names_are_unverified(
    operator: Operator, room: Chat
) -> None:
    room.put_connections(
        connection_row("stale-id", sender_id="7", uname="Bob", source_ip="192.0.2.1"),
        connection_row("stale-name", uname="Eve", source_ip="192.0.2.2"),
        connection_row("stale-address", source_ip="2001:db8::7"),
        connection_row("stale-nobody"),
    )
    names = ("stale-id", "stale-name", "stale-address", "stale-nobody")
    ran = operator.run("connections", "kick", *names, "--ban", "7d", "--json")
    assert (ran.code, ran.data["gone"]) == (0, 4)
    assert [each["who"] for each in ran.data["banned"]] == ["192.0.2.1", "192.0.2.2", "2001:db8::/64"]
    assert "stale-nobody is of nobody who could be banned" in ran.err
    assert {each["id"]["S"] for each in rows(room)} == {
        "address#192.0.2.1",
        "address#192.0.2.2",
        "address#2001:db8::/64",
    }


def test_ban_of_a_shared_address_warns(operator: Operator, room: Chat) -> None:
    def row(name: str, address: str) -> dict[str, Any]:
        return connection_row(name, source_ip=address)

    room.put_connections(row("one", "192.0.2.9"), row("two", "192.0.2.9"), row("six", "2001:db8:0:77::9"))
    try:
        add = ("ban", "add", "-n", "--forever", "--address")
        shared = operator.run(*add, "192.0.2.9").err
        assert "2 connections have the address 192.0.2.9: the ban is on all of them" in shared
        assert "the ban is on all" not in operator.run(*add, "192.0.2.10").err
        assert "the ban is on all" not in operator.run(*add, "2001:db8:0:77::/64").err
        kicked = operator.run("connections", "kick", "one", "--ban", "1h", "-n").err
        assert "1 other connection has the address 192.0.2.9: the ban is on all of them" in kicked
        assert "the ban is on all" not in operator.run("connections", "kick", "six", "--ban", "1h", "-n").err
    finally:
        room.delete_connections("one", "two", "six")


def test_ban_of_unknown_connection_is_partly_done(operator: Operator, room: Chat) -> None:
    room.put_connections(connection_row("stale-nobody"))
    ran = operator.run("connections", "kick", "stale-nobody", "--ban", "7d", "--json")
    assert (ran.code, ran.data["banned"], ran.data["gone"]) == (5, [], 1)


def test_similar_token_ids_are_banned_separately(operator: Operator, room: Chat) -> None:
    """There is one ban for both; in open mode they are one name."""
    tokens = {"NWCHAT_AUTH__MODE": "token"}
    ran = operator.run("ban", "add", "--user", "Bob", "--user", "bob", "--for", "1h", **tokens)
    assert ran.error is not None
    assert (ran.code, ran.error.message.split(",")[0], ran.calls) == (2, "Bob and bob look alike", ())
    rows_ = [connection_row(each, sender_id=each, source_ip="192.0.2.1") for each in ("Bob", "bob")]
    room.put_connections(*({**each, "proven": {"BOOL": True}} for each in rows_))
    ran = operator.run("connections", "kick", "Bob", "bob", "--ban", "1h", **tokens)
    assert ran.error is not None
    assert (ran.code, ran.error.code, rows(room)) == (2, "usage", [])
    assert {"Bob", "bob"} <= room.rows().keys()
    assert operator.json("connections", "kick", "Bob", "bob")["gone"] == 2


@pytest.mark.parametrize("argv", [("--all",), ("--user", "a\x00b"), ("--user", "x" * 65)])
def test_a_kick_that_cannot_ban_does_nothing(operator: Operator, argv: tuple[str, ...]) -> None:
    ran = operator.run("connections", "kick", "--ban", "1h", *argv, "--confirm", operator.name)
    assert ran.error is not None
    assert (ran.code, ran.error.code, ran.calls) == (2, "usage", ())


@pytest.mark.parametrize("length", ["soon", "0", "-1h", ""])
def test_ban_duration_must_be_positive(operator: Operator, length: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no length of time"):
        operator.run("connections", "kick", "x", "--ban", length)


# Limits -------------------------------------------------------------------------------------------


def warmed(room: Chat) -> None:
    """Has as many environments of the function started as there can be: a cold start is no flood's doing."""
    with room.players(ENVIRONMENTS) as players, ThreadPoolExecutor(ENVIRONMENTS) as pool:
        assert set(pool.map(send_message, players, [unique() for _ in players])) == {"ack"}


def test_of_100_messages_ten_pass_and_others_are_not_delayed(room: Chat) -> None:
    flood = [f"flood-{number}" for number in range(100)]
    warmed(room)
    with room.players() as (one, other):
        with suppress(ConnectionClosed):
            for each in flood:
                one.send({"message": each, "client_id": each})
        text = unique()
        assert send_message(other, text) == "ack"
        frames: list[Frame] = []
        with pytest.raises(ConnectionClosed):
            while True:
                frames.append(one.receive())
    answers = [each for each in frames if "client_id" in each]
    assert [each["client_id"] for each in answers if each["type"] == "ack"] == flood[:10]
    # One refused frame is answered; the connection is closed because it continued.
    (refused,) = (each for each in answers if each["type"] == "error")
    assert (refused["client_id"], refused["code"]) == (flood[10], "rate_limited")
    assert refused["retry_after"] > 0


def test_of_100_concurrent_messages_ten_pass(room: Chat) -> None:
    """On AWS a socket's frames are taken side by side; here by threads."""
    limits = Limits(rate_messages=10, rate_seconds=60)
    store = Store(room.dynamodb, room.connections_table, room.messages_table)

    def is_accepted(number: int) -> bool:
        return store.record_activity("flooding", now_ms(), "Bob", "7", now_ms(), limits)

    with ThreadPoolExecutor(10) as pool:
        passed = list(pool.map(is_accepted, range(100)))
    room.delete_connections("flooding")
    assert passed.count(True) == 10
