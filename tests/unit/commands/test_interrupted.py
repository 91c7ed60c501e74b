"""Ctrl-C, SIGTERM and --timeout, while a question waits at a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.subprocesses import environment


@contextmanager
def asking(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`nwchatctl init` at a terminal, once it has asked its first question; the process, the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nwchatctl", *options, "init"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment(folder, {"NO_COLOR": "1"}),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        until(ours, b"[ninjawars]: ")
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows up to `text`."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 4096)
    return shown


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")],
)
def test_signals(tmp_path: Path, number: int, code: int, message: bytes) -> None:
    with asking(tmp_path) as (process, terminal):
        process.send_signal(number)
        shown = until(terminal, message)
        assert process.wait(60) == code
    assert b"error: " + message in shown
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_timeout(tmp_path: Path) -> None:
    with asking(tmp_path, "--timeout", "15s") as (process, terminal):
        shown = until(terminal, b"--timeout")
        assert process.wait(60) == 1
    assert b"error: timed out after 15 s" in shown
    assert b"hint: give a longer --timeout" in shown


def test_answers_end_up_in_the_file(tmp_path: Path) -> None:
    with asking(tmp_path, "--region", "eu-west-1") as (process, terminal):
        os.write(terminal, b"Dojo\n")
        until(terminal, b"must be 1 to 24")
        os.write(terminal, b"dojo\n\nbeta\n7\n")
        until(terminal, b"wrote ")
        assert process.wait(60) == 0
    shown = subprocess.run(
        [sys.executable, "-m", "nwchatctl", "config", "show", "--json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=True,
    )
    settings = json.loads(shown.stdout)["settings"]
    file = f"file {tmp_path / 'nwchat.toml'}"
    assert settings["chat"]["name"] == {"value": "dojo", "origin": file}
    assert settings["aws"]["region"] == {"value": "eu-west-1", "origin": file}
    assert settings["aws"]["profile"] == {"value": "", "origin": "default"}
    assert settings["stage"]["name"] == {"value": "beta", "origin": file}
    assert settings["tables"]["retention_days"] == {"value": 7, "origin": file}


def test_the_end_of_input_declines(tmp_path: Path) -> None:
    with asking(tmp_path) as (process, terminal):
        os.write(terminal, b"\x04")
        until(terminal, b"declined")
        assert process.wait(60) == 7
    assert list(tmp_path.iterdir()) == []
