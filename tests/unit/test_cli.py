"""What `run` makes of what commands return and raise."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer

from nwchatctl import cli
from nwchatctl.cli import run
from nwchatctl.command_tree import Command
from nwchatctl.commands.options import JsonOption
from nwchatctl.context import App
from nwchatctl.errors import ChatError
from nwchatctl.report import Item, Line, Report, Stream
from tests.unit.subprocesses import environment


def ok(ctx: typer.Context, text: Annotated[str, typer.Argument()] = "", json: JsonOption = False) -> Report:
    app: App = ctx.obj
    app.say(Line(f"working in {app.command('ok')}"))
    return Report({"text": text}, (Line(text),), exit_code=6 if text == "differs" else 0)


def stream(ctx: typer.Context, json: JsonOption = False) -> Stream:
    def items() -> Iterator[Item]:
        yield Item({"n": 1}, ("a", "b"))
        raise ChatError("the rest is lost", hint="try again", code="lost", exit_code=5)

    return Stream(items())


def fail(ctx: typer.Context, how: str, json: JsonOption = False) -> Report:
    if how == "chat":
        raise ChatError("it \x1b failed", hint="mend it", code="broken", exit_code=4)
    if how == "usage":
        raise typer.BadParameter("no such how")
    if how == "exit":
        raise typer.Exit(6)
    if how == "abort":
        raise typer.Abort
    if how == "ctrl-c":
        raise KeyboardInterrupt
    if how == "ctrl-c half-way":
        stop = KeyboardInterrupt()
        stop.add_note("5 of 9 are done")
        raise stop
    if how == "sigterm":
        signal.raise_signal(signal.SIGTERM)
    raise RuntimeError("boom")


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "COMMANDS", (Command(ok, ""), Command(stream, ""), Command(fail, "")))
    monkeypatch.chdir(tmp_path)
    for name in ("NWCHAT_SANDBOX", "NWCHAT_CONFIG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("args", "code", "out", "err"),
    [
        (["ok", "hi"], 0, "hi\n", "working in nwchatctl ok\n"),
        (
            ["--sandbox", "--region", "x y", "ok"],
            0,
            "\n",
            "working in nwchatctl --sandbox --region 'x y' ok\n",
        ),
        (["-q", "ok", "hi"], 0, "", ""),
        (["-q", "ok", "differs"], 6, "differs\n", ""),
        (["ok", "hi", "--json"], 0, '{"text": "hi"}\n', ""),
        (["stream"], 5, "a\tb\n", "error: the rest is lost\nhint: try again\n"),
        (["fail", "chat"], 4, "", "error: it \\x1b failed\nhint: mend it\n"),
        (["fail", "usage"], 2, "", "error: invalid value: no such how\nhint: nwchatctl fail --help\n"),
        (["fail", "exit"], 6, "", ""),
        (["fail", "abort"], 130, "", "error: interrupted\n"),
        (["fail", "ctrl-c"], 130, "", "error: interrupted\n"),
        (["fail", "ctrl-c half-way"], 130, "", "error: interrupted: 5 of 9 are done\n"),
        (["fail", "sigterm"], 143, "", "error: terminated\n"),
        (
            ["fail", "x"],
            1,
            "",
            "error: something unexpected went wrong: RuntimeError: boom\n"
            "hint: run it again with --debug, to see where\n",
        ),
    ],
)
def test_outcomes(args: list[str], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == code
    assert capsys.readouterr() == (out, err)


def test_errors_of_a_json_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stream", "--json"]) == 5
    out, err = capsys.readouterr()
    assert out == '{"n": 1}\n'
    assert json.loads(err) == {"error": {"code": "lost", "message": "the rest is lost", "hint": "try again"}}


def test_a_traceback_only_for_debug(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--debug", "fail", "x"])
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("to see where\n")


def test_signals_are_as_they_were_afterwards() -> None:
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM))
    assert run(["--timeout", "15m", "fail", "sigterm"]) == 143
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


STUCK = """
import threading, typer
from nwchatctl import cli
from nwchatctl.__main__ import main
from nwchatctl.report import Report
from nwchatctl.command_tree import Command

def stuck(ctx: typer.Context) -> Report:
    threading.Thread(target=threading.Event().wait).start()
    ctx.obj.streams.write("so far\\n")
    raise KeyboardInterrupt

def other() -> None: ...

cli.COMMANDS = (Command(stuck, ""), Command(other, ""))
main()
"""


def test_a_thread_that_never_ends_keeps_no_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK, "stuck"],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "so far\n", "error: interrupted\n")
