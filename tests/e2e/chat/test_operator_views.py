"""The operator looks: `history tail`, `connections list`, on a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.e2e.support.chat import Chat, connection_row, eventually, now_ms, unique

HOSTILE = "\x1b[2J[link=https://evil.example]x[/link]\n\r\t\u202e\u2066\x9b31m\x00"
SPELLED = r"\x1b[2J[link=https://evil.example]x[/link]" + r"\n\r\t" + r"\u202e\u2066\x9b31m\x00"
CONNECTION_KEYS = {
    "connection_id",
    "sender_id",
    "uname",
    "connected_at",
    "last_seen_at",
    "source_ip",
    "user_agent",
}


def terminal(chat: Chat, *words: str, **environ: str) -> str:
    """What it prints on a terminal of 200 columns."""
    mine, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "nwchatctl", *words],
            cwd=chat.sandbox.state.root,
            env={**chat.environ, "TERM": "xterm", "COLUMNS": "200", **environ},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        printed = b""
        # Reading fails once nobody has the other end.
        while chunk := _read(mine):
            printed += chunk
        assert process.wait(60) == 0, printed
    finally:
        os.close(mine)
    return printed.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


# history tail ---------------------------------------------------------------------------------


def test_the_last_messages_oldest_first(chat: Chat) -> None:
    texts = [unique(f"text {number}") for number in range(5)]
    with chat.players(1) as (one,):
        for text in texts:
            one.send({"message": text, "uname": "tchalvak", "sender_id": "128274"})
        one.receive_text(texts[-1])
    shown = chat.nwchatctl("history", "tail", "-n", "3")
    assert (shown.code, shown.err) == (0, "")
    lines = [line.split("\t") for line in shown.out.splitlines()]
    assert [line[1:] for line in lines] == [["tchalvak", text] for text in texts[-3:]]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line[0])
    as_json = chat.nwchatctl("history", "tail", "-n", "4", "--json")
    frames = [json.loads(line) for line in as_json.out.splitlines()]
    assert [frame["message"] for frame in frames] == texts[-4:]
    for frame in frames:
        assert list(frame) == ["id", "message", "uname", "sender_id", "date", "type"]
        assert abs(int(frame["date"]) - now_ms()) < 60_000
    nothing = chat.nwchatctl("history", "tail", "-n", "0")
    assert (nothing.code, nothing.out) == (0, "")


def test_following_prints_each_new_one_once(chat: Chat) -> None:
    before, after = unique("before"), [unique(f"after {number}") for number in range(3)]
    with chat.players(1) as (one,):
        one.send(before)
        one.receive_text(before)
        with chat.running("history", "tail", "-n", "1", "-f", "--json") as following:
            # Its first line says that it has looked: whatever comes now is new.
            assert following.message()["message"] == before
            for text in after:
                one.send(text)
                one.receive_text(text)
            announced = unique("announced")
            chat.json("broadcast", announced)
            lines = [following.message() for _ in range(4)]
            assert [each["message"] for each in lines] == [*after, announced]
            assert [each["type"] for each in lines] == ["message"] * 3 + ["announcement"]
            assert following.process.poll() is None
            done = following.wait(signal.SIGINT)
    assert (done.code, done.out) == (130, "")
    assert json.loads(done.err)["error"]["code"] == "interrupted"


@pytest.mark.parametrize(
    ("stop", "code", "said"), [(signal.SIGINT, 130, ""), (signal.SIGTERM, 143, "error: terminated\n")]
)
def test_following_stops_without_a_traceback(chat: Chat, stop: int, code: int, said: str) -> None:
    before, after = unique("before"), unique("after")
    with chat.players(1) as (one,):
        one.send(before)
        one.receive_text(before)
        with chat.running("history", "tail", "-n", "1", "-f") as following:
            assert str(following.line()).endswith(f"\t{before}\n")
            one.send({"message": after, "uname": "tchalvak"})
            assert str(following.line()).endswith(f"\ttchalvak\t{after}\n")
            done = following.wait(stop)
    assert (done.code, done.out) == (code, "")
    assert done.err == said


def test_a_message_moves_no_cursor(chat: Chat) -> None:
    text = unique("a\tb\nc[link=https://evil.example]d[/link]")
    with chat.players(1) as (one,):
        # What the wire cleans is not all that a terminal acts upon.
        one.send({"message": text, "uname": "[bold]👩\u200d🚀"})
        one.receive_text(text)
    spelled = text.replace("\t", r"\t").replace("\n", r"\n")
    piped = chat.nwchatctl("history", "tail", "-n", "1").out
    assert piped.rstrip("\n").split("\t")[1:] == ["[bold]👩\u200d🚀", spelled]
    shown = terminal(chat, "history", "tail", "-n", "1")
    assert spelled in shown
    assert "[bold]👩\u200d🚀" in shown
    assert "\x1b" not in shown
    assert json.loads(chat.nwchatctl("history", "tail", "-n", "1", "--json").out)["message"] == text


def test_verbose_and_columns_show_what_delete_and_ban_want(chat: Chat) -> None:
    text, announced = unique("bad"), unique("announced")
    with chat.players(1) as (one,):
        one.send({"message": text, "uname": "*boss", "sender_id": "128274"})
        message_id = one.receive_text(text)["id"]
        one.send({"message": unique("nameless")})
        one.receive()
    chat.json("broadcast", announced)
    plain = [line.split("\t")[1:] for line in chat.nwchatctl("history", "tail", "-n", "3").out.splitlines()]
    # What a player calls himself is no announcement.
    assert [cells[0] for cells in plain] == ["\\*boss", "-", "*operator"]
    verbose = chat.nwchatctl("-v", "history", "tail", "-n", "3").out.splitlines()
    assert verbose[0].split("\t")[1:] == [message_id, "128274", "\\*boss", text]
    columns = ("--columns", "type,id,message")
    chosen = chat.nwchatctl("history", "tail", "-n", "3", *columns).out.splitlines()
    assert chosen[0] == f"message\t{message_id}\t{text}"
    assert chosen[2].startswith("announcement\t")
    wrong = chat.nwchatctl("history", "tail", "--columns", "id,name")
    assert wrong.code == 2
    assert "no column 'name'; there are date, id, type, sender_id, uname, message" in wrong.err


def test_following_ends_when_its_reader_has_gone(chat: Chat) -> None:
    """Also while nobody says anything."""
    text = unique("last")
    with chat.players(1) as (one,):
        one.send(text)
        one.receive_text(text)
    words = [sys.executable, "-m", "nwchatctl", "history", "tail", "-n", "1", "-f"]
    with subprocess.Popen(
        words, cwd=chat.sandbox.state.root, env=chat.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline().endswith(f"\t{text}\n".encode())
        following.stdout.close()
        try:
            assert following.wait(60) == 0
        finally:
            following.kill()


# connections list -----------------------------------------------------------------------------


def test_who_is_connected(chat: Chat) -> None:
    chat.wait_until_empty()
    began = now_ms()
    with chat.players(1, user_agent_header="First/1.0") as (first,):
        with chat.players(1, user_agent_header="Second/2.0"):
            first.send({"message": unique(), "uname": "tchalvak", "sender_id": "128274"})
            first.receive()
            listed = chat.json("connections", "list")
            piped = chat.nwchatctl("connections", "list")
            shown = terminal(chat, "connections", "list")
            only = chat.json("connections", "list", "--user", "128274")
            one = chat.json("connections", "list", "--limit", "1")
        eventually(lambda: len(chat.rows()), 1)
    assert listed["count"] == 2
    mine, theirs = listed["connections"]
    for each in (mine, theirs):
        assert set(each) >= CONNECTION_KEYS
        assert each["source_ip"] == "127.0.0.1"
        since = datetime.fromisoformat(each["connected_at"])
        assert since.tzinfo == UTC
        assert began - 1000 <= since.timestamp() * 1000 <= now_ms()
    assert (mine["user_agent"], mine["uname"], mine["sender_id"]) == ("First/1.0", "tchalvak", "128274")
    assert mine["last_seen_at"] is not None
    assert (theirs["user_agent"], theirs["uname"], theirs["sender_id"]) == ("Second/2.0", None, None)
    assert theirs["last_seen_at"] is None
    assert only == {"connections": [mine], "count": 1}
    assert one["count"] == 1
    rows = [line.split("\t") for line in piped.out.splitlines()]
    assert (piped.code, piped.err) == (0, "")
    assert [[row[0], row[1], row[2], row[5], row[6]] for row in rows] == [
        [mine["connection_id"], "128274", "tchalvak", "127.0.0.1", "First/1.0"],
        [theirs["connection_id"], "-", "-", "127.0.0.1", "Second/2.0"],
    ]
    heading = shown.splitlines()[0]
    assert re.sub(r"\x1b\[[\d;]*m", "", heading).split() == [
        "connection",
        "user",
        "name",
        "since",
        "last",
        "seen",
        "address",
        "client",
    ]
    assert mine["connection_id"] in shown


def test_empty_list_is_no_error(chat: Chat) -> None:
    chat.wait_until_empty()
    piped = chat.nwchatctl("connections", "list")
    assert (piped.code, piped.out, piped.err) == (0, "", "")
    assert "nobody is connected" in terminal(chat, "connections", "list")


@pytest.fixture
def hostile(chat: Chat) -> Iterator[None]:
    """A row that a careless function, or an adopted table, might hold."""
    chat.wait_until_empty()
    row = connection_row("hostile\x1b]0;x\x07", uname=HOSTILE, user_agent=HOSTILE, sender_id="[red]1")
    chat.put_connections(row)
    yield
    chat.delete_connections("hostile\x1b]0;x\x07")


@pytest.mark.usefixtures("hostile")
def test_hostile_names_are_escaped(chat: Chat) -> None:
    piped = chat.nwchatctl("connections", "list").out
    assert piped.count("\n") == 1
    cells = piped.rstrip("\n").split("\t")
    assert cells[:3] == [r"hostile\x1b]0;x\x07", "[red]1", SPELLED]
    assert cells[6] == SPELLED
    shown = terminal(chat, "connections", "list", NO_COLOR="1")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", shown), repr(shown)
    assert "[link=" in shown
    as_json = chat.nwchatctl("connections", "list", "--json").out
    (raw,) = json.loads(as_json)["connections"]
    assert (raw["uname"], raw["user_agent"], raw["sender_id"]) == (HOSTILE, HOSTILE, "[red]1")
    # It is in ASCII, so that it does nothing to a terminal either.
    assert as_json.isascii()
