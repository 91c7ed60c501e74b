"""Any stdin: what is no message, no announcement, no event and no token is refused, and said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.moto_chat import moto_chat
from tests.fuzz.program import examples, require_sound, run

pytestmark = pytest.mark.timeout(method="thread")
"""Commands use the signal that pytest-timeout uses by default."""

COMMANDS = st.sampled_from(
    [
        ["history", "import", "-"],
        ["history", "import", "-", "--replace"],
        ["history", "import", "-", "--json"],
        ["broadcast", "-"],
        ["broadcast", "-", "--id", "x"],
        ["invoke", "message", "--event", "-"],
        ["token", "check"],
    ]
)
KEYS = (
    "message",
    "uname",
    "sender_id",
    "date",
    "id",
    "type",
    "client_id",
    "text",
    "ts",
    "new_chats",
    "chats",
    "",
)
VALUES: st.SearchStrategy[object] = st.sampled_from(
    [
        *(
            "",
            "hi",
            "\x00",
            "\u202e",
            "e" + "\u0301" * 9,
            "x" * 9000,
            "1700000000000",
            "2026-01-31",
            "nan",
            "\ud800",
        ),
        *(
            "01J00000000000000000000000",
            "Z" * 26,
            "0" * 26,
            None,
            True,
            0,
            -1,
            1.5,
            10**400,
            1e308,
            [],
            {},
            [[]],
        ),
    ]
)
MESSAGES: st.SearchStrategy[dict[str, object]] = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)
LAYOUTS = st.sampled_from(["lines", "array", "indented", "site", "blank lines", "cut"])
ENCODINGS = st.sampled_from(
    ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp037"]
)


def laid_out(messages: list[dict[str, object]], layout: str, encoding: str) -> bytes:
    """The messages as one program or another writes them."""
    match layout:
        case "array":
            text = "[" + ",\n".join(map(json.dumps, messages)) + "]"
        case "indented":
            text = json.dumps(messages, indent=2)
        case "site":
            text = json.dumps({"new_chats": {"chats": messages}})
        case "blank lines":
            text = "\r\n\r\n".join(map(json.dumps, messages))
        case _:
            text = "".join(json.dumps(each) + "\n" for each in messages)
    return text[: -3 if layout == "cut" else None].encode(encoding, "replace")


@pytest.fixture(scope="module", autouse=True)
def chat() -> Iterator[None]:
    with moto_chat():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stdin")


def require_answer(folder: Path, argv: list[str], stdin: bytes) -> None:
    environ = {"HOME": str(folder), "NWCHAT_CHAT__NAME": "ninjawars"}
    require_sound(run(argv, environ, folder, stdin=stdin))


@examples(300)
@given(COMMANDS, st.binary(max_size=100))
@example(["history", "import", "-"], b"[" * 100_000)
@example(["history", "import", "-"], b'{"message": 1e999999}')
@example(["history", "import", "-"], b'{"date": ' + b"9" * 5000 + b"}")
@example(["history", "import", "-"], b"\x1f\x8b\x08\x00")
@example(["invoke", "message", "--event", "-"], b"[" * 100_000)
@example(["invoke", "message", "--event", "-"], b"9" * 5000)
@example(["broadcast", "-"], b"x" * 300_000)
@example(["token", "check"], b"\xff" * 10_000)
@example(["token", "check"], b"a.b.c")
def test_any_bytes_are_read_or_refused(folder: Path, argv: list[str], stdin: bytes) -> None:
    require_answer(folder, argv, stdin)


@examples(300)
@given(st.lists(MESSAGES, max_size=4), LAYOUTS, ENCODINGS, st.sampled_from([(), ("--replace",), ("--json",)]))
def test_any_messages_are_imported_or_counted(
    folder: Path, messages: list[dict[str, object]], layout: str, encoding: str, options: tuple[str, ...]
) -> None:
    require_answer(folder, ["history", "import", "-", *options], laid_out(messages, layout, encoding))
