"""`history export`, `import`, `trim` and `delete`: whole, interrupted and gone on with."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nwchat.model.ids import ulid
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from tests.e2e.support.chat import Chat, Ran, eventually, now_ms
from tests.e2e.support.fault_proxy import Call, Fault, Proxy, SeededFaults
from tests.e2e.support.sandbox import Sandbox

HOSTILE = "\x1b[2J\u202e[link=x]\x9b31m\ttab\nline \u2028 ü"
CLEANED, CLEANED_NAME = "[2J[link=x]31m\ttab\nline \n ü", "[2J[link=x]31m tab line   ü"

OTHERS: Sequence[dict[str, Any]] = (
    {
        "room": {"S": "sent#0123"},
        "id": {"S": "-"},
        "message_id": {"S": "x"},
        "expires_at": {"N": "4000000000"},
    },
    {"room": {"S": "progress"}, "id": {"S": ulid(1, bytes(10))}, "expires_at": {"N": "4000000000"}},
)
"""Rows of the same table that are no messages."""


@pytest.fixture(scope="module")
def deployed(sandbox: Sandbox) -> Chat:
    made = Chat(sandbox, "e2e-history")
    made.deploy()
    return made


@pytest.fixture
def chat(deployed: Chat) -> Iterator[Chat]:
    """A chat whose history is empty; the table has other rows, which are there afterwards as well."""
    for row in table(deployed):
        key = {name: row[name] for name in ("room", "id")}
        deployed.dynamodb.delete_item(TableName=deployed.messages_table, Key=key)
    deployed.put(deployed.messages_table, OTHERS)
    yield deployed
    assert [row for row in table(deployed) if row["room"]["S"] not in ("main", "deleted")] == sorted(
        OTHERS, key=lambda row: str(row["room"]["S"])
    )


def table(chat: Chat) -> list[dict[str, Any]]:
    """Every row of the table, by room and id."""
    pages = chat.dynamodb.get_paginator("scan").paginate(TableName=chat.messages_table)
    found = [row for page in pages for row in page["Items"]]
    return sorted(found, key=lambda row: (row["room"]["S"], row["id"]["S"]))


def history(chat: Chat) -> list[str]:
    """The texts in the room, in order."""
    return [row["message"]["S"] for row in table(chat) if row["room"]["S"] == "main"]


def store_messages(chat: Chat, count: int, text: str = "") -> list[Message]:
    """So many messages, an hour old and a second apart; `text` makes them long."""
    began = now_ms() - 3_600_000
    made = [
        Message(
            ulid(began + 1000 * each, bytes(10)), f"{each} {text}".strip(), "tom", "7", began + 1000 * each
        )
        for each in range(count)
    ]
    rows = [message_row(each, now_ms() // 1000 + 86_400) for each in made]
    # Ten at a time, as long ones are more than a request of 25 may have.
    for start in range(0, count, 10):
        chat.put(chat.messages_table, rows[start : start + 10])
    return made


def stuck_after(number: int, operation: str) -> Callable[[Call], Fault | None]:
    """Lets so many calls of `operation` through, and then none."""
    left = [number]

    def choose(call: Call) -> Fault | None:
        if call.operation != operation:
            return None
        left[0] -= 1
        return None if left[0] >= 0 else Fault.THROTTLED

    return choose


def interrupted(proxied_chat: Chat, fault_proxy: Proxy, number: int, operation: str, *words: str) -> Ran:
    """Runs it until AWS takes no more than so many calls of `operation`, and then presses Ctrl-C."""
    with fault_proxy.choosing(stuck_after(number, operation)), proxied_chat.running(*words) as running:
        eventually(lambda: any(fault for _, fault in fault_proxy.calls), True)
        return running.wait(signal.SIGINT)


# export and import ----------------------------------------------------------------------------


def test_import_of_an_export_gives_the_same_history(chat: Chat, tmp_path: Path) -> None:
    store_messages(chat, 60)
    # An export ends 60 s before now.
    date = now_ms() - 120_000
    odd = Message(ulid(date, b"0123456789"), HOSTILE, HOSTILE, "", date, "announcement")
    chat.put(chat.messages_table, [message_row(odd, 4_000_000_000)])
    file = tmp_path / "chat.jsonl"
    piped = chat.nwchatctl("history", "export")
    assert (piped.code, len(piped.out.splitlines())) == (0, 61)
    assert piped.out.isascii()
    assert piped.out == chat.nwchatctl("history", "export", "-", "--json").out
    assert piped.out == chat.nwchatctl("history", "tail", "-n", "100", "--json").out
    done = chat.json("history", "export", str(file))
    assert (done["messages"], done["bytes"], done["resumed_after"]) == (61, file.stat().st_size, None)
    assert file.read_text() == piped.out
    trimmed = chat.json("history", "trim", "--keep", "0", "--confirm", chat.name)
    assert (trimmed["found"], trimmed["deleted"]) == (61, 61)
    assert chat.nwchatctl("history", "export").out == ""
    # All but the one that the chat would clean.
    clean = piped.out.splitlines()[:-1]
    back = chat.json("history", "import", str(file))
    assert (back["imported"], back["cleaned"], back["already"], back["bad"]) == (61, 1, 0, 0)
    exported = chat.nwchatctl("history", "export").out
    assert exported.splitlines()[:-1] == clean
    last = json.loads(exported.splitlines()[-1])
    assert (last["message"], last["uname"], last["type"]) == (CLEANED, CLEANED_NAME, "announcement")
    again = chat.json("history", "import", str(file))
    assert (again["imported"], again["already"]) == (0, 61)
    assert chat.nwchatctl("history", "export").out == exported


def test_a_part_of_the_time(chat: Chat) -> None:
    made = store_messages(chat, 10)
    words = ("--since", str(made[2].date), "--until", str(made[5].date))
    exported = chat.nwchatctl("history", "export", *words).out.splitlines()
    assert [json.loads(each)["id"] for each in exported] == [each.id for each in made[2:5]]
    shown = chat.nwchatctl("history", "tail", "--json", *words).out.splitlines()
    assert shown == exported
    last = chat.nwchatctl("history", "tail", "-n", "1", "--json", *words).out.splitlines()
    assert last == exported[-1:]
    grepped = chat.nwchatctl("history", "tail", "--since", "2h", "--grep", "^[39]", "--user", "tom").out
    assert [line.split("\t")[2] for line in grepped.splitlines()] == ["3", "9"]
    assert chat.nwchatctl("history", "tail", "--user", "nobody").out == ""


def test_existing_file_is_continued_or_refused(chat: Chat, tmp_path: Path) -> None:
    made = store_messages(chat, 5)
    file = tmp_path / "chat.jsonl"
    assert chat.nwchatctl("history", "export", str(file), "--until", str(made[3].date)).code == 0
    refused = chat.nwchatctl("history", "export", str(file))
    assert (refused.code, refused.out) == (2, "")
    assert "--resume" in refused.err
    # The next line was being written when somebody pulled the plug.
    whole = chat.nwchatctl("history", "export").out
    half = file.read_text() + whole.splitlines()[3][:50]
    file.write_text(half)
    done = chat.json("history", "export", "--resume", str(file))
    assert (done["messages"], done["resumed_after"]) == (2, made[2].id)
    assert file.read_text() == whole
    assert chat.json("history", "export", "--resume", str(file))["messages"] == 0
    assert file.read_text() == whole
    other = tmp_path / "letter.txt"
    other.write_text("dear friend,\nhow are you?\n")
    assert chat.nwchatctl("history", "export", "--resume", str(other)).code == 1
    assert other.read_text() == "dear friend,\nhow are you?\n"


def test_interrupted_export_is_resumed(
    chat: Chat, proxied_chat: Chat, fault_proxy: Proxy, tmp_path: Path
) -> None:
    store_messages(chat, 40, "x" * 60_000)
    file = tmp_path / "chat.jsonl"
    # The first query is for AWS's clock.
    done = interrupted(proxied_chat, fault_proxy, 2, "Query", "history", "export", str(file))
    assert (done.code, done.out) == (130, "")
    assert f"--resume {file}" in done.err
    content = file.read_text()
    assert content.endswith("\n")
    assert 0 < len(content.splitlines()) < 40
    assert chat.nwchatctl("history", "export", "--resume", str(file)).code == 0
    assert file.read_text() == chat.nwchatctl("history", "export").out


def test_an_import_that_is_interrupted_stores_nothing_twice(
    chat: Chat, proxied_chat: Chat, fault_proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "site.json"
    chats = [
        {"message": f"text {number}", "uname": "tom", "sender_id": 7, "date": str(now_ms() - 9000 + number)}
        for number in range(60)
    ]
    file.write_text(json.dumps({"new_chats": {"chats": chats}}))
    done = interrupted(
        proxied_chat, fault_proxy, 1, "BatchWriteItem", "history", "import", str(file), "--json"
    )
    assert (done.code, done.out) == (130, "")
    assert "25 messages stored" in json.loads(done.err)["error"]["message"]
    assert history(chat) == [f"text {number}" for number in range(25)]
    rest = chat.json("history", "import", str(file))
    assert (rest["imported"], rest["already"]) == (35, 25)
    assert history(chat) == [f"text {number}" for number in range(60)]
    # The same as lines, by stdin, is still the same.
    lines = "\n".join(map(json.dumps, chats))
    assert chat.nwchatctl("history", "import", "-", stdin=lines).code == 0
    assert history(chat) == [f"text {number}" for number in range(60)]


def test_an_import_through_faults(chat: Chat, proxied_chat: Chat, fault_proxy: Proxy) -> None:
    lines = "".join(
        json.dumps({"message": f"{number}", "date": now_ms() - 9000 + number}) + "\n" for number in range(300)
    )

    seeded = SeededFaults(seed=7, share=0.3)

    def failing(call: Call) -> Fault | None:
        found = seeded(call) if call.operation in ("BatchGetItem", "BatchWriteItem") else None
        # One that takes 20 s is not for a test.
        return Fault.RESET_AFTER if found is Fault.LATE else found

    with fault_proxy.choosing(failing):
        done = proxied_chat.nwchatctl("history", "import", "-", "--json", stdin=lines)
    assert (done.code, done.data["imported"]) == (0, 300)
    assert history(chat) == [f"{number}" for number in range(300)]
    assert any(fault for _, fault in fault_proxy.calls)


def test_bad_lines_are_named_and_all_others_stored(chat: Chat) -> None:
    date = now_ms()
    lines = [
        json.dumps({"message": "one", "date": date}),
        "nonsense \x1b[2J",
        json.dumps({"message": "old", "date": "2001-01-01"}),
        json.dumps({"message": 5, "date": date}),
        json.dumps({"message": "two", "date": date + 1}),
    ]
    dry = chat.nwchatctl("history", "import", "-", "-n", "--json", stdin="\n".join(lines))
    assert (dry.code, dry.data["dry_run"]) == (5, True)
    assert history(chat) == []
    done = chat.nwchatctl("history", "import", "-", "--json", stdin="\n".join(lines))
    assert done.code == 5
    assert {**done.data, "duration_seconds": 0} == {
        "imported": 2,
        "replaced": 0,
        "already": 0,
        "cleaned": 0,
        "different": 0,
        "different_ids": [],
        "deleted": 0,
        "expired": 1,
        "bad": 2,
        "bad_lines": [
            {"line": 2, "reason": "not JSON"},
            {"line": 4, "reason": "message must be a string"},
        ],
        "dry_run": False,
        "duration_seconds": 0,
    }
    assert history(chat) == ["one", "two"]
    shown = chat.nwchatctl("history", "import", "-", stdin="\n".join(lines))
    assert shown.out == (
        "0 messages imported, 2 stored already, 1 too old to be kept, 2 bad lines left out\n"
    )
    assert "warning: line 2: not JSON\nwarning: line 4: message must be a string\n" in shown.err
    quiet = chat.nwchatctl("-q", "history", "import", "-", stdin=lines[0])
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_export_and_trim_leave_the_last_minute(chat: Chat, tmp_path: Path) -> None:
    """Its messages may not be complete yet: ids are made before their messages are stored."""
    (old,) = store_messages(chat, 1)
    date = now_ms()
    new = Message(ulid(date, bytes(10)), "new", "tom", "7", date)
    chat.put(chat.messages_table, [message_row(new, 4_000_000_000)])
    file = tmp_path / "chat.jsonl"
    shown = chat.nwchatctl("history", "export", str(file))
    assert shown.out.startswith(f"1 message written to {file}, up to ")
    assert [json.loads(each)["id"] for each in file.read_text().splitlines()] == [old.id]
    again = chat.json("history", "export", "--resume", str(file))
    assert (again["messages"], again["resumed_after"]) == (0, old.id)
    assert date - 61_000 < again["until"] < now_ms() - 59_000
    trimmed = chat.nwchatctl("history", "trim", "--keep", "0", "--confirm", chat.name)
    assert trimmed.out == "1 message deleted\nmessages of the last 60 s stay\n"
    assert history(chat) == ["new"]


# trim and delete ------------------------------------------------------------------------------


def test_trim_asks_for_the_name_and_deletes_the_oldest(chat: Chat) -> None:
    made = store_messages(chat, 60)
    words = ("history", "trim", "--keep", "10")
    dry = chat.json(*words, "-n")
    assert {**dry, "duration_seconds": 0} == {
        "found": 50,
        "deleted": 0,
        "dry_run": True,
        "duration_seconds": 0,
    }
    for refused in (chat.nwchatctl(*words), chat.nwchatctl(*words, "--confirm", "other")):
        assert refused.code == 7
        assert f"--confirm {chat.name}" in refused.err
    assert len(history(chat)) == 60
    quiet = chat.nwchatctl("-q", *words, "--confirm", chat.name)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert history(chat) == [each.message for each in made[50:]]
    again = chat.nwchatctl(*words)
    assert (again.code, again.out) == (0, "nothing to do: no message is that old\n")
    before = chat.json("history", "trim", "--before", str(made[55].date), "--confirm", chat.name)
    assert before["deleted"] == 5
    assert history(chat) == [each.message for each in made[55:]]
    for wrong in ((), ("--keep", "1", "--before", "1d")):
        assert chat.nwchatctl("history", "trim", *wrong).code == 2


def test_interrupted_trim_is_resumed(chat: Chat, proxied_chat: Chat, fault_proxy: Proxy) -> None:
    made = store_messages(chat, 80)
    words = ("history", "trim", "--keep", "10", "--confirm", chat.name)
    done = interrupted(proxied_chat, fault_proxy, 1, "BatchWriteItem", *words)
    assert (done.code, done.out) == (130, "")
    assert "25 of 70 messages are deleted" in done.err
    assert history(chat) == [each.message for each in made[25:]]
    assert chat.json(*words)["deleted"] == 45
    assert history(chat) == [each.message for each in made[70:]]


def test_a_message_is_deleted_by_its_id(chat: Chat) -> None:
    made = store_messages(chat, 3)
    first, second = made[0].id, made[1].id
    dry = chat.json("history", "delete", first, "-n")
    assert [each["id"] for each in dry["deleted"]] == [first]
    assert len(history(chat)) == 3
    done = chat.nwchatctl("history", "delete", first, "--json")
    assert (done.code, done.data["not_found"]) == (0, [])
    assert history(chat) == [each.message for each in made[1:]]
    some = chat.nwchatctl("history", "delete", first, second, second)
    assert some.code == 5
    assert some.out.splitlines()[-1] == "1 message deleted"
    assert first in some.err
    assert "warning: " in some.err
    none = chat.nwchatctl("history", "delete", first, "-", "--json")
    assert (none.code, none.out, json.loads(none.err)["error"]["code"]) == (4, "", "no_message")
    # What was deleted stays so, and can be brought back.
    line = json.dumps(done.data["deleted"][0])
    kept_deleted = chat.nwchatctl("history", "import", "-", stdin=line)
    assert (kept_deleted.code, kept_deleted.out) == (0, "0 messages imported, 1 deleted before\n")
    assert history(chat) == [made[2].message]
    assert chat.nwchatctl("history", "import", "--replace", "-", stdin=line).code == 0
    assert history(chat) == [made[0].message, made[2].message]
    # The only copy of what is deleted is printed in any case.
    quiet = chat.nwchatctl("-q", "history", "delete", made[2].id)
    assert (quiet.code, quiet.out.count("\n"), quiet.err) == (0, 1, "")
    assert quiet.out.startswith(f"{made[2].id}\t")
    assert history(chat) == [made[0].message]


def test_stored_text_is_replaced_on_request_alone(chat: Chat) -> None:
    (stored,) = store_messages(chat, 1)
    edited = json.dumps({"id": stored.id, "message": "EDITED", "uname": "tom", "sender_id": "7"})
    refused = chat.nwchatctl("history", "import", "-", stdin=edited)
    assert (refused.code, refused.out) == (5, "0 messages imported, 1 different from what is stored\n")
    assert f"left so without --replace: {stored.id}" in refused.err
    assert history(chat) == [stored.message]
    assert chat.nwchatctl("history", "import", "-n", "--replace", "-", stdin=edited).code == 0
    assert history(chat) == [stored.message]
    assert chat.nwchatctl("history", "import", "--replace", "-", stdin=edited).out == (
        "0 messages imported, 1 replaced\n"
    )
    assert history(chat) == ["EDITED"]


def test_files_of_other_programs(chat: Chat, tmp_path: Path) -> None:
    date = now_ms() - 9000
    messages = [{"message": f"tëxt {number}", "date": date + number} for number in range(3)]
    mongo, powershell, slack, latin = (tmp_path / name for name in ("mongo", "powershell", "slack", "latin"))
    mongo.write_text("[" + ",\n".join(map(json.dumps, messages)) + "]\n")
    powershell.write_text(json.dumps(messages, ensure_ascii=False, indent=2), encoding="utf-16")
    slack.write_text(json.dumps([{"text": "hi", "ts": "1.2", "user": "U"}] * 1000))
    latin.write_text("\n".join(json.dumps(each, ensure_ascii=False) for each in messages), "latin-1")
    for file, code in ((slack, "no_messages"), (latin, "not_utf8")):
        refused = chat.nwchatctl("history", "import", str(file), "--json")
        assert (refused.code, json.loads(refused.err)["error"]["code"]) == (2, code)
        assert refused.err.count("\n") == 1
    assert history(chat) == []
    assert chat.json("history", "import", str(powershell))["imported"] == 3
    assert chat.json("history", "import", str(mongo))["already"] == 3
    assert history(chat) == [f"tëxt {number}" for number in range(3)]


def test_a_pipe_that_breaks_gets_a_true_count(chat: Chat) -> None:
    store_messages(chat, 60, "x" * 5000)
    words = [sys.executable, "-m", "nwchatctl", "history", "export"]
    with subprocess.Popen(
        words, cwd=chat.sandbox.state.root, env=chat.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        assert export.stdout.readline().startswith(b'{"id"')
        export.stdout.close()
        assert export.wait(60) == 0
        (count,) = re.findall(r"exported: (\d+) in", export.stderr.read().decode())
        assert 1 <= int(count) < 60
    closed = subprocess.run(
        f"{shlex.join(words)} >&-",
        shell=True,
        cwd=chat.sandbox.state.root,
        env=chat.environ,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert closed.returncode == 1
    assert b"error: the output cannot be written: stdout is closed\n" in closed.stderr
    # Other files use this chat too.
    chat.json("history", "trim", "--keep", "0", "--confirm", chat.name)


@pytest.mark.parametrize(
    "words",
    [
        ("tail",),
        ("tail", "-f"),
        ("tail", "-f", "--since", "1h"),
        ("export",),
        ("import", "-"),
        ("trim", "--keep", "1"),
        ("delete", "x"),
        ("delete", "-n", "x"),
    ],
    ids=" ".join,
)
def test_missing_chat_is_an_error(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    line = json.dumps({"message": "x", "date": now_ms()})
    done = Chat(sandbox, "e2e-nowhere").nwchatctl("history", *words, stdin=line)
    assert (done.code, done.out) == (4, ""), done.err
    assert "error: chat e2e-nowhere is not deployed in account 000000000000, us-east-2\n" in done.err
    assert "hint: nwchatctl deploy\n" in done.err
