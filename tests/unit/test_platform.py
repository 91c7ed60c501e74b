"""Windows, as far as it can be simulated: its name, and the modules that it lacks."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.subprocesses import environment

WINDOWS = """
import sys
for name in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[name] = None
import runpy, os
sys.platform = "win32"
sys.argv = ["nwchatctl", *sys.argv[1:]]
runpy.run_module("nwchatctl", run_name="__main__")
"""


@pytest.mark.parametrize("argv", [["--help"], ["deploy", "--json"]])
def test_windows_is_refused_with_one_line(tmp_path: Path, argv: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS, *argv],
        cwd=tmp_path,
        env=environment(tmp_path, {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = "error: nwchatctl does not run on Windows itself: use macOS, Linux or WSL\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_other_platforms_load_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    # As runpy finds it in a process that has not imported it.
    monkeypatch.delitem(sys.modules, "nwchatctl.__main__", raising=False)
    assert callable(runpy.run_module("nwchatctl.__main__", run_name="loaded")["main"])
