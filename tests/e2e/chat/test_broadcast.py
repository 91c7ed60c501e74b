"""The operator speaks: `broadcast`, and `invoke` with the event that is saved in the console."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.support.chat import Chat, Player, connection_row, gather, unique
from tests.paths import EVENTS

SENT = {
    "id",
    "already_sent",
    "recipients",
    "delivered",
    "gone",
    "failed",
    "throttled_retries",
    "duration_seconds",
}


def times(text: str, *players: Player) -> list[int]:
    """How often each of them has heard it by now."""
    gathered = gather(*players)
    return [sum(frame.get("message") == text for frame in frames) for frames in gathered]


def test_broadcast_reaches_all_connections_and_the_history(chat: Chat) -> None:
    chat.wait_until_empty()
    text = unique("Restart at eight\nsharp [link=x]")
    with chat.players() as (one, other):
        sent = chat.json("broadcast", text, "--as", "the dojo")
        assert set(sent) >= SENT
        counts = {key: sent[key] for key in SENT - {"id", "duration_seconds"}}
        assert counts == {
            "already_sent": False,
            "recipients": 2,
            "delivered": 2,
            "gone": 0,
            "failed": 0,
            "throttled_retries": 0,
        }
        frame = other.receive()
        assert one.receive() == frame
        assert {**frame, "date": ""} == {
            "type": "announcement",
            "id": sent["id"],
            "message": text,
            "uname": "the dojo",
            "sender_id": "",
            "date": "",
        }
        assert one.history(1) == [frame]
    assert json.loads(chat.nwchatctl("history", "tail", "-n", "1", "--json").out) == frame


def test_the_same_id_is_sent_once(chat: Chat) -> None:
    text, key = unique(), unique("id")
    with chat.players() as (one, other):
        first = chat.json("broadcast", text, "--id", key)
        second = chat.json("broadcast", text, "--id", key)
        another = chat.nwchatctl("broadcast", "another text", "--id", key)
        previewed = chat.nwchatctl("broadcast", "another text", "--id", key, "-n")
        by_another = chat.nwchatctl("broadcast", text, "--id", key, "--as", "kim", "--json")
        received = gather(one, other)
        assert [frame["message"] for frame in other.history()].count(text) == 1
    assert [[frame["message"] for frame in frames] for frames in received] == [[text], [text]]
    assert (first["already_sent"], second["already_sent"]) == (False, True)
    assert second["id"] == first["id"]
    assert second["recipients"] == 0
    assert (another.code, previewed.code, by_another.code) == (2, 2, 2)
    assert (
        f"id {key} was used for an announcement to everybody, {first['id']}: the text differs" in another.err
    )
    assert "the text differs" in previewed.err
    refused = json.loads(by_another.err.splitlines()[-1])["error"]
    assert (refused["code"], "the sender's name differs" in refused["message"]) == ("id_taken", True)


def test_two_concurrent_runs_send_once(chat: Chat) -> None:
    text = unique()
    words = ("broadcast", text, "--id", unique("id"), "--json")
    with chat.players() as (one, other):
        with chat.running(*words) as left, chat.running(*words) as right:
            done = [left.wait(), right.wait()]
        assert times(text, one, other) == [1, 1]
        assert [frame["message"] for frame in other.history()].count(text) == 1
    assert [(each.code, each.err) for each in done] == [(0, "")] * 2
    assert sorted(each.data["already_sent"] for each in done) == [False, True]
    assert len({each.data["id"] for each in done}) == 1


@pytest.mark.parametrize("sender_id", ["operator", "broadcast"])
def test_a_client_cannot_take_an_operators_id(chat: Chat, sender_id: str) -> None:
    """Also not with "broadcast", under which earlier releases stored the ids of announcements."""
    text, key = unique(), unique("id")[:64]
    with chat.players() as (one, other):
        one.send({"message": "first", "client_id": key, "sender_id": sender_id, "uname": "player"})
        one.receive_type("ack")
        assert chat.json("broadcast", text, "--id", key)["already_sent"] is False
        assert times(text, one, other) == [1, 1]


def test_ephemeral_broadcast_is_received_and_not_stored(chat: Chat) -> None:
    text = unique()
    with chat.players() as (one, other):
        assert chat.json("broadcast", "--ephemeral", text)["delivered"] >= 2
        assert times(text, one, other) == [1, 1]
        assert text not in [frame["message"] for frame in other.history()]


def test_ephemeral_broadcast_with_id_is_received_once(chat: Chat) -> None:
    text, key = unique(), unique("id")
    with chat.players() as (one, other):
        first = chat.json("broadcast", "--ephemeral", "--id", key, text)
        again = chat.json("broadcast", "--ephemeral", "--id", key, text)
        assert (first["already_sent"], again["already_sent"]) == (False, True)
        assert times(text, one, other) == [1, 1]
        assert text not in [frame["message"] for frame in other.history()]


def test_broadcast_to_one_player_only(chat: Chat) -> None:
    text, name = unique(), unique("7")[:20]
    with chat.players(3) as (one, other, third):
        for number, each in enumerate((one, other)):
            each.send({"message": "hi", "sender_id": name if number else "", "uname": "" if number else name})
            third.receive_text("hi")
        gather(third, one, other)
        sent = chat.nwchatctl("broadcast", "--to-user", name, text, "--json")
        assert (sent.data["recipients"], sent.data["delivered"]) == (2, 2)
        assert f'auth.mode is "open": everybody who claims to be {name} receives it' in sent.err
        assert times(text, third, one, other) == [0, 1, 1]
        assert text not in [frame["message"] for frame in third.history()], "the history is everybody's"


@pytest.mark.parametrize("words", [(), ("-n",), ("--id", "to-nobody")])
def test_announcement_to_nobody_is_not_found(chat: Chat, words: tuple[str, ...]) -> None:
    with chat.players(1):
        for _ in range(2):
            done = chat.nwchatctl("broadcast", *words, "--to-user", "nobody-at-all", unique(), "--json")
            assert (done.code, done.out) == (4, "")
            error = json.loads(done.err.splitlines()[-1])["error"]
            assert (error["code"], "no connection is known to be of nobody-at-all" in error["message"]) == (
                "no_connection",
                True,
            )


def test_names_are_compared_alike_everywhere(chat: Chat) -> None:
    """As bans are: without case, and without what nobody sees."""
    name, text = unique("Evil")[:20], unique()
    typed = f" {name.upper()[:3]}\u200b{name.upper()[3:]}"
    with chat.players(2) as (one, other):
        one.send({"message": text, "uname": name})
        other.receive_text(text)
        gather(other, one)
        (found,) = chat.json("connections", "list", "--user", typed)["connections"]
        assert found["uname"] == name
        tail = chat.nwchatctl("history", "tail", "--user", typed, "--json")
        assert [json.loads(line)["message"] for line in tail.out.splitlines()] == [text]
        assert chat.json("broadcast", "--to-user", typed, unique())["delivered"] == 1
        assert chat.json("connections", "kick", "--user", typed)["kicked"] == 1


def test_the_chats_own_function_sends_it(chat: Chat) -> None:
    chat.wait_until_empty()
    text, key = unique(), unique("id")
    with chat.players(12) as players:
        chat.put_connections(connection_row("stale-1"), connection_row("stale-2"))
        sent = chat.json("broadcast", "--via", "lambda", "--id", key, text)
        counts = {name: sent[name] for name in ("already_sent", "recipients", "delivered", "gone", "failed")}
        assert counts == {
            "already_sent": False,
            "recipients": 14,
            "delivered": 12,
            "gone": 2,
            "failed": 0,
        }
        assert chat.json("broadcast", "--id", key, text)["already_sent"] is True
        assert times(text, *players) == [1] * 12
        assert [frame["message"] for frame in players[0].history()].count(text) == 1
        unnamed = chat.nwchatctl("broadcast", "--via", "lambda", unique())
        assert (unnamed.code, "12 delivered, 0 gone, 0 failed" in unnamed.out) == (0, True), unnamed
        refused = chat.nwchatctl("broadcast", "--via", "lambda", "--to-user", "7", text)
        assert (refused.code, refused.out) == (2, "")


def test_id_is_bound_to_its_first_recipient(chat: Chat) -> None:
    key = unique("id")
    with chat.players(1):
        assert chat.json("broadcast", "--id", key, "to all")["already_sent"] is False
        refused = chat.nwchatctl("broadcast", "--id", key, "--to-user", "7", "to one")
    assert (refused.code, refused.out) == (2, "")
    assert "was used for an announcement to everybody" in refused.err


@pytest.mark.parametrize("flag", ["--id", "--to-user"])
def test_empty_recipient_flag_is_refused(chat: Chat, flag: str) -> None:
    text = unique()
    with chat.players(1) as (one,):
        refused = chat.nwchatctl("broadcast", flag, "", text)
        assert times(text, one) == [0]
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: {flag} is empty\n")


def test_nothing_is_stored_without_fanout_function(chat: Chat) -> None:
    text = unique()
    client = chat.sandbox.client("lambda", root=True)
    where = {"FunctionName": chat.function("fanout"), "Name": "live"}
    alias = client.get_alias(**where)
    client.delete_alias(**where)
    try:
        refused = chat.nwchatctl("broadcast", "--via", "lambda", text)
    finally:
        client.create_alias(**where, FunctionVersion=alias["FunctionVersion"])
    assert (refused.code, refused.out) == (4, ""), refused
    assert text not in chat.nwchatctl("history", "tail", "-n", "1").out


def test_a_text_from_stdin(chat: Chat) -> None:
    text = unique("two\nlines: ünï")
    with chat.players(1) as (one,):
        assert chat.nwchatctl("broadcast", "-", stdin=f"\n{text}\n").code == 0
        assert one.receive_text(text)["uname"] == "operator"


def test_dry_run_counts_recipients_and_sends_nothing(chat: Chat) -> None:
    chat.wait_until_empty()
    text = unique()
    with chat.players() as (one, other):
        sent = chat.json("broadcast", "-n", text)
        assert set(sent) >= SENT
        assert (sent["recipients"], sent["delivered"]) == (2, 0)
        assert chat.nwchatctl("broadcast", "--dry-run", text).out == "would be sent to 2 connections\n"
        assert times(text, one, other) == [0, 0]
        assert text not in [frame["message"] for frame in other.history()]


def test_a_dry_run_knows_what_was_sent_under_its_id(chat: Chat) -> None:
    text, key = unique(), unique("id")
    before = chat.json("broadcast", "-n", "--id", key, text)
    sent = chat.json("broadcast", "--id", key, text)
    after = chat.json("broadcast", "-n", "--id", key, text)
    assert (before["already_sent"], after["already_sent"], after["id"]) == (False, True, sent["id"])
    assert chat.nwchatctl("broadcast", "-n", "--id", key, "--to-user", "7", text).code == 2


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("",), "", "usage"),
        (("-",), " \n", "text_empty"),
        (("\x1b\u202e",), "", "text_empty"),
        (("x" * 1001,), "", "text_too_long"),
        (("-",), "x" * 300_000, "text_too_long"),
    ],
)
def test_invalid_text_is_refused(chat: Chat, words: tuple[str, ...], stdin: str, code: str) -> None:
    done = chat.nwchatctl("broadcast", *words, "--json", stdin=stdin)
    assert (done.code, done.out) == (2, "")
    error = json.loads(done.err)["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code
    assert "1000" in error["message"] or code in ("text_empty", "usage")


def test_output_for_people_and_for_cron(chat: Chat) -> None:
    chat.wait_until_empty()
    with chat.players():
        quiet = chat.nwchatctl("-q", "broadcast", unique())
        assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
        loud = chat.nwchatctl("broadcast", unique())
    assert loud.code == 0
    assert loud.out.endswith(": 2 delivered, 0 gone, 0 failed\n")
    assert loud.out.startswith("sent as ")
    assert loud.out.count("\n") == 1
    assert loud.err.startswith(
        f"account 000000000000, us-east-2 (sandbox): chat {chat.name}, stage production\n"
    )


# invoke ---------------------------------------------------------------------------------------


def test_event_of_operator_is_sent_to_all_connections(chat: Chat) -> None:
    event = EVENTS / "on-message.json"
    given = json.loads(json.loads(event.read_text())["body"])
    with chat.players() as (one, other):
        done = chat.json("invoke", "message", "--event", str(event))
        frame = other.receive()
        assert one.receive() == frame
        # Nobody is answered: the event has no connection, and is from nowhere.
        assert gather(one, other) == [[], []]
        assert frame in other.history()
    assert set(done) >= {"function", "version", "result", "error", "log", "duration_ms"}
    assert done["result"] == {"statusCode": 200}
    assert done["error"] is None
    assert {**frame, "id": "", "date": ""} == {
        "type": "message",
        "id": "",
        "message": given["message"],
        "uname": given["uname"],
        "sender_id": given["sender_id"],
        "date": "",
    }


def test_event_from_stdin_with_output_for_people(chat: Chat) -> None:
    text = unique()
    with chat.players(1) as (one,):
        done = chat.nwchatctl("invoke", "message", "--event", "-", stdin=json.dumps({"body": text}))
        assert one.receive_text(text)["type"] == "message"
    assert done.code == 0
    assert "! this is real: message stores the message of the event and sends it to everybody" in done.err
    assert done.out.splitlines()[0] == '{"statusCode": 200}'
    assert '"message":"sent"' in done.out


@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("message", {}),
        ("message", {"body": None, "requestContext": None}),
        ("message", {"body": 5, "requestContext": []}),
        ("connect", {}),
        ("connect", {"headers": None, "requestContext": {"identity": "nobody"}}),
        ("disconnect", {}),
        ("disconnect", {"requestContext": {"connectionId": "nobody"}}),
    ],
)
def test_unusual_events_are_accepted(chat: Chat, function: str, event: Any) -> None:
    answer = chat.functions.invoke(
        FunctionName=chat.function(function), Qualifier="live", Payload=json.dumps(event).encode()
    )
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == {"statusCode": 200}
