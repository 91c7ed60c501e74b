"""Any command line: its outcome is one of the exit codes, and its error names what is wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwchatctl import cli
from tests.fuzz.moto_chat import moto_chat
from tests.fuzz.program import UNLIMITED, examples, require_sound, run

pytestmark = pytest.mark.timeout(method="thread")
"""Commands use the signal that pytest-timeout uses by default."""

LEFT_OUT = frozenset({("sandbox", "up"), ("sandbox", "down"), ("sandbox", "reset")})
"""They start and stop processes of this machine."""

LEFT_OUT_OPTIONS = frozenset({"--install-completion", "--show-completion", "-f", "--follow"})
"""The first two look at the shell that runs this process, and change its files; the others never end."""

WORDS = (
    *(
        "",
        "-",
        "--",
        "-x",
        "--nope",
        "a",
        "0",
        "-1",
        "1",
        "3600",
        "1e400",
        "nan",
        "inf",
        "9" * 30,
        "0x10",
        "1.5",
    ),
    *(
        "90s",
        "15m",
        "7d",
        "forever",
        "-5s",
        "2026-01-31T18:00",
        "9999-12-31T23:59:59",
        "0000-01-01",
        "60000w",
    ),
    *(
        "ninjawars",
        "-0SM9c=",
        "01J00000000000000000000000",
        "127.0.0.1",
        "::1/64",
        "(",
        "\\",
        "a,b",
        "a=b",
        "*",
    ),
    *(
        "\x1b[2J",
        "\u202eb",
        "\r\nerror: x",
        "\udcff\udc00",
        "e" + "\u0301" * 9,
        "\U0001f977",
        "x" * 5000,
        "é",
        "\t",
    ),
    *(
        "message",
        "connect",
        "release",
        "exit-codes",
        "environment",
        "moderator",
        "auto",
        "json",
        "missing.json",
    ),
    *(
        "/dev/zero",
        "/dev/null",
        ".",
        "..",
        "~nobody-here/x",
        "~",
        "file.json",
        "file.json/x",
        "fifo",
        "a" * 300,
    ),
)
VALUES = st.sampled_from(WORDS) | st.text(max_size=6).filter(
    lambda text: text[:1] != "-" and "\x00" not in text and "/" not in text
)


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _leaves(child, (*path, name))


COMMANDS = {path: command for path, command in _leaves(cli.tree()) if path not in LEFT_OUT}
OPTIONS = {
    path: sorted(
        {name for each in command.params for name in each.opts if name.startswith("-")} - LEFT_OUT_OPTIONS
    )
    for path, command in COMMANDS.items()
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options and arguments, few of them in their places."""
    path = draw(st.sampled_from(sorted(COMMANDS)))
    words = list(path)
    for name in draw(st.lists(st.sampled_from([*OPTIONS[path], ""]), max_size=4)):
        words += [name] if name else []
        if draw(st.booleans()):
            words.append(draw(VALUES))
    return words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    (made / "nwchat.toml").write_text('[chat]\nname = "ninjawars"\n')
    (made / "file.json").write_text('{"message": "hi"}\n')
    os.mkfifo(made / "fifo")
    return made


@pytest.fixture(scope="module", autouse=True)
def chat() -> Iterator[None]:
    with moto_chat():
        yield


ROOMS = st.sampled_from([UNLIMITED] * 6 + [0, 1, 100])
FAILURES = st.sampled_from([errno.ENOSPC, errno.EIO, errno.EAGAIN, errno.EPIPE])


@examples(900)
@given(
    command_lines(),
    st.sampled_from([b"", b"\xff\x00{", None]),
    ROOMS,
    FAILURES,
    st.sampled_from(["utf-8", "ascii"]),
)
def test_any_command_line_has_an_outcome(
    folder: Path, argv: list[str], stdin: bytes | None, room: int, failure: int, encoding: str
) -> None:
    environ = {"HOME": str(folder), "NWCHAT_SANDBOX_DIR": str(folder / "none"), "COLUMNS": "80"}
    outcome = run(argv, environ, folder, stdin=stdin, room=room, failure=failure, encoding=encoding)

    require_sound(outcome)


@pytest.mark.parametrize("length", ["60000w", "31556889864403199"])
def test_a_very_long_timeout_is_no_fault(folder: Path, length: str) -> None:
    outcome = run(["help", "exit-codes", "--timeout", length], {"HOME": str(folder)}, folder)

    require_sound(outcome)
