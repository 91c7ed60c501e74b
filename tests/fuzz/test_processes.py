"""A few strange beginnings of real processes: closed streams, devices for files, arguments of any bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nwchatctl.errors import Exit
from tests.unit.subprocesses import environment

BOUND = 60
"""Seconds, against a hang."""


def ended(folder: Path, redirection: str, *args: str | bytes) -> tuple[int, str]:
    """Exit code and stderr of `nwchatctl` in a shell, with this redirection."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "nwchatctl", *args],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=BOUND,
        check=False,
    )
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    assert "something unexpected" not in err, err
    return done.returncode, err


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", ".", "missing", "~nobody-here/x"])
def test_a_settings_file_that_is_none(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    code, err = ended(tmp_path, "", "--config", name, "config", "show")
    assert code == Exit.CONFIG
    assert err.startswith("error: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_settings_file_of_another_user_is_not_found_by_itself(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").touch()
    os.chown(tmp_path / "nwchat.toml", 65534, 65534)
    code, err = ended(tmp_path, "", "config", "show")
    assert (code, "belongs to another user" in err) == (Exit.CONFIG, True)


@pytest.mark.parametrize(
    ("redirection", "args", "code"),
    [
        (">&-", ["config", "show"], Exit.FAILED),
        (">&-", ["--help"], Exit.FAILED),
        (">/dev/full", ["help", "config", "--json"], Exit.FAILED),
        ("2>&-", ["config", "show"], Exit.DONE),
        ("2>&-", ["nope"], Exit.USAGE),
        ("<&- >&- 2>&-", ["--version"], Exit.FAILED),
    ],
)
def test_streams_that_are_closed_or_full(
    tmp_path: Path, redirection: str, args: list[str], code: int
) -> None:
    assert ended(tmp_path, redirection, *args)[0] == code


@pytest.mark.parametrize("word", [b"\xff\xfe", b"x" * 100_000, b"\x1b[2J", b"\xed\xa0\x80"])
def test_arguments_of_any_bytes(tmp_path: Path, word: bytes) -> None:
    code, err = ended(tmp_path, "", b"help", word)
    assert (code, "\x1b" in err) == (Exit.USAGE, False)


@pytest.mark.parametrize("length", ["0", "nan", "1e400", "-1", "", "9" * 400])
def test_lengths_of_time_that_are_none(tmp_path: Path, length: str) -> None:
    assert ended(tmp_path, "", "--timeout", length, "config", "show")[0] == Exit.USAGE
