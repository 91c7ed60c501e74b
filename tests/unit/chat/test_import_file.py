"""Files that are no messages, or no text, are refused with one explanation."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nwchatctl.chat.history_import import FileMessage, InvalidLine, read
from nwchatctl.chat.import_file import LOOKED_AT, require_messages, require_text
from nwchatctl.errors import ChatError

GOOD = json.dumps({"message": "hü", "date": 1_681_948_677_627}, ensure_ascii=False) + "\n"
SLACK = [
    {"type": "message", "user": "U1", "text": f"hi {each}", "ts": "1681948677.000200"} for each in range(5000)
]


def refusal(content: bytes, name: str = "chat.json") -> ChatError:
    with pytest.raises(ChatError) as caught:
        source = io.BytesIO(content)
        require_text(source, name)
        list(require_messages(read(source), name))
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_text_is_read_from_where_it_was(encoding: str) -> None:
    source = io.BytesIO(GOOD.encode(encoding))
    require_text(source, "x")
    assert source.tell() == 0
    (found,) = require_messages(read(source), "x")
    assert isinstance(found, FileMessage)
    assert found.message.message == "hü"


@pytest.mark.parametrize("before", [0, 1, 30_000])
def test_latin_1_is_refused_with_its_line(before: int) -> None:
    error = refusal(GOOD.encode() * before + GOOD.encode("latin-1") + GOOD.encode(), "old.json")
    assert (error.code, error.message) == ("not_utf8", f"old.json is not UTF-8, in line {before + 1}")
    assert "iconv -f LATIN1 -t UTF-8 old.json | nwchatctl history import -" in error.hint


def test_half_a_character_at_the_end_is_not_utf_8() -> None:
    assert refusal(GOOD.encode() + "ü".encode()[:1]).code == "not_utf8"
    assert refusal(GOOD.encode("utf-16")[:-1]).code == "not_utf8"


@pytest.mark.parametrize(
    ("content", "code", "hint"),
    [
        (gzip.compress(GOOD.encode(), mtime=0), "compressed", "zcat FILE | nwchatctl history import -"),
        (b"PK\x03\x04rest", "compressed", "unzip -p FILE | nwchatctl history import -"),
        (GOOD.encode() + bytes(10), "not_text", "name a file of messages"),
        (bytes(100), "not_text", "name a file of messages"),
    ],
)
def test_other_files_are_no_text(content: bytes, code: str, hint: str) -> None:
    error = refusal(content, "stdin")
    assert (error.code, error.hint) == (code, hint)


def test_slack_export_is_explained_once() -> None:
    read_so_far = 0

    def results() -> object:
        nonlocal read_so_far
        for each in read(io.BytesIO(json.dumps(SLACK, indent=1).encode())):
            read_so_far += 1
            yield each

    with pytest.raises(ChatError) as caught:
        require_messages(results(), "slack.json")  # type: ignore[arg-type]
    assert read_so_far == LOOKED_AT
    error = caught.value
    assert error.code == "no_messages"
    assert error.message == (
        "slack.json holds no messages: none of its first 100 entries is one; line 2, item 1: message must "
        "be a string (keys: type, user, text, ts)"
    )
    assert error.hint.startswith('a message is {"message": "hi", "uname": "tom", "sender_id": "7", "date": ')
    assert ": jq -c '.[] | {message: .text, " in error.hint
    assert error.hint.endswith(" slack.json | nwchatctl history import -")


def test_jq_is_not_suggested_for_what_is_no_json_object() -> None:
    error = refusal(b"id,text\n1,hi\n", "chat.csv")
    assert error.code == "no_messages"
    assert error.hint.startswith("a message is a JSON object, one a line or in an array: {")
    assert "jq" not in error.hint


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_hint_makes_messages_of_a_slack_export(tmp_path: Path) -> None:
    file = tmp_path / "slack export.json"
    file.write_text(json.dumps(SLACK[:3]))
    hint = refusal(file.read_bytes(), str(file)).hint
    command = hint.partition(": jq")[2].rpartition(" | nwchatctl")[0]
    made = subprocess.run(f"jq{command}", shell=True, capture_output=True, check=True).stdout
    found = [each.message for each in read(io.BytesIO(made)) if isinstance(each, FileMessage)]
    assert [(each.message, each.uname, each.date) for each in found] == [
        (f"hi {number}", "U1", 1_681_948_677_000) for number in range(3)
    ]


def test_texts_of_players_are_in_no_explanation() -> None:
    error = refusal(json.dumps({"secret" * 9: "password", **dict.fromkeys("abcdefgh", "password")}).encode())
    assert "password" not in error.message + error.hint
    assert "(keys: secretsecretsecretse, a, b, c, d, e)" in error.message


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "no json", '{"message": "x"}'])
def test_short_file_without_any_message_is_refused(content: str) -> None:
    assert refusal(content.encode()).code == "no_messages"


def test_one_message_among_the_first_is_enough() -> None:
    bad = "x\n" * (LOOKED_AT - 1)
    found = list(require_messages(read(io.BytesIO((bad + GOOD + bad).encode())), "x"))
    assert sum(isinstance(each, FileMessage) for each in found) == 1
    assert sum(isinstance(each, InvalidLine) for each in found) == 2 * (LOOKED_AT - 1)
    assert list(require_messages(read(io.BytesIO(b"")), "x")) == []
