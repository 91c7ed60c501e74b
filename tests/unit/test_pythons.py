"""Which interpreters `make test-pythons` finds, and what it says about them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.pythons import Interpreter, candidates, interpreters, main, passes


def program(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def python(file: Path, version: str, name: str = "cpython") -> Path:
    return program(file, f'echo {name} {version} "$0"')


def found(environ: dict[str, str]) -> dict[str, str]:
    return {each.version: each.executable for each in interpreters(candidates(environ))}


def test_one_interpreter_of_each_minor_version_is_found(tmp_path: Path) -> None:
    first, second, versions = tmp_path / "a b", tmp_path / "second", tmp_path / ".pyenv" / "versions"
    newer = python(first / "python3.13", "3.13.0")
    older = python(second / "python3.12", "3.12.1")
    pyenv = python(versions / "3.11.7" / "bin" / "python", "3.11.7")
    python(second / "python3.13", "3.13.9")
    python(versions / "3.12.4" / "bin" / "python", "3.12.4")
    environ = {"PATH": f"{first}:{second}:{tmp_path / 'none'}", "HOME": str(tmp_path)}
    assert found(environ) == {"3.11.7": str(pyenv), "3.12.1": str(older), "3.13.0": str(newer)}


def test_the_folder_of_pyenv_can_be_set(tmp_path: Path) -> None:
    there = python(tmp_path / "pyenv" / "versions" / "3.12.4" / "bin" / "python", "3.12.4")
    environ = {"PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}
    assert found(environ) == {"3.12.4": str(there)}


def test_programs_that_fail_or_are_not_supported_are_passed_over(tmp_path: Path) -> None:
    shims, versions = tmp_path / "shims", tmp_path / ".pyenv" / "versions"
    program(shims / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    program(shims / "python3.14", "exit 0")
    (shims / "python3.11").mkdir()
    python(versions / "3.10.13" / "bin" / "python", "3.10.13")
    python(versions / "pypy3.11-7.3.20" / "bin" / "python", "3.11.13", name="pypy")
    real = python(versions / "3.13.0" / "bin" / "python", "3.13.0")
    assert found({"PATH": str(shims), "HOME": str(tmp_path)}) == {"3.13.0": str(real)}


def test_this_interpreter_is_found(tmp_path: Path) -> None:
    name = "python{}.{}".format(*sys.version_info[:2])
    (tmp_path / name).symlink_to(sys.executable)
    assert list(found({"PATH": str(tmp_path), "HOME": str(tmp_path)})) == [sys.version.split()[0]]


@pytest.mark.parametrize(
    ("make", "tests", "lines"),
    [
        ("exit 0", "echo ..; echo '2 passed in 1s'", ["Python 3.12.1 passed: 2 passed in 1s"]),
        (
            "exit 0",
            "echo F; echo '1 failed in 1s'; exit 1",
            ["F", "1 failed in 1s", "Python 3.12.1 failed: 1 failed in 1s"],
        ),
        (
            "echo 'no wheel' >&2; exit 2",
            "echo '2 passed in 1s'",
            ["no wheel", "Python 3.12.1 failed: no wheel"],
        ),
    ],
)
def test_each_interpreter_gets_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: str,
    tests: str,
    lines: list[str],
) -> None:
    program(tmp_path / "make", make)
    program(tmp_path / ".venv-3.12" / "bin" / "python", tests)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    passed = passes(Interpreter("3.12.1", "/usr/bin/python3.12"))
    assert passed == ("passed" in lines[-1])
    said = re.sub(r" \(\d+ s for its packages, \d+ s for the tests\)", "", capsys.readouterr().out)
    assert said.splitlines() == lines


def test_one_failing_interpreter_fails_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path / "make", "exit 0")
    used = f"3.{sys.version_info[1]}"
    for minor, code in (("3.11", 1), ("3.12", 1), ("3.13", 0), ("3.14", 0)):
        python(tmp_path / f"python{minor}", f"{minor}.0")
        program(tmp_path / f".venv-{minor}" / "bin" / "python", f"echo done; exit {code}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", "exit 1")))
    monkeypatch.chdir(tmp_path)
    assert main() == 1
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("Python")]
    assert sorted(said) == [f"3.{minor}.0" for minor in range(11, 15) if f"3.{minor}" != used]
