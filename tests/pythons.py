"""`make test-pythons`: the unit and adapter tests on every other supported Python of this machine, or with
`--newest` on the newest of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

MINORS = range(11, 15)
"""Of Python 3."""

PROBE = "import sys, venv, ensurepip; print(sys.implementation.name, sys.version.split()[0], sys.executable)"
WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""For each interpreter. All run at the same time, because the tests wait for much of theirs."""

Done: TypeAlias = "subprocess.CompletedProcess[str]"


@dataclass(frozen=True)
class Interpreter:
    version: str
    executable: str

    @property
    def minor(self) -> str:
        """The version without its last part, for example 3.12."""
        return ".".join(self.version.split(".")[:2])

    @property
    def environment(self) -> str:
        """The folder of its virtual environment, relative to the repository."""
        return f".venv-{self.minor}"


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Programs that may be an interpreter: on the PATH, then pyenv's."""
    for minor in MINORS:
        for folder in environ.get("PATH", "").split(os.pathsep):
            yield Path(folder) / f"python3.{minor}"
    root = environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv"
    yield from sorted(Path(root).glob("versions/*/bin/python"))


def interpreters(programs: Iterable[Path]) -> Iterator[Interpreter]:
    """The first of each minor version that runs, is supported and can make virtual environments."""
    found: set[str] = set()
    for program in programs:
        interpreter = probe(program) if program.is_file() else None
        if interpreter is not None and interpreter.minor not in found:
            found.add(interpreter.minor)
            yield interpreter


def probe(program: Path) -> Interpreter | None:
    """What that program is; None if it does not run, as a shim of pyenv may, or is not supported."""
    try:
        done = subprocess.run([program, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    name, version, executable = (*done.stdout.strip().split(" ", 2), "", "", "")[:3]
    interpreter = Interpreter(version, executable)
    supported = name == "cpython" and interpreter.minor in {f"3.{minor}" for minor in MINORS}
    return interpreter if supported else None


def passes(interpreter: Interpreter) -> bool:
    """Whether the tests pass there. Prints one line, and all output of the tests if they fail."""
    began = time.monotonic()
    done = set_up(interpreter)
    ready = time.monotonic()
    if not done.returncode:
        python = f"{interpreter.environment}/bin/python"
        done = run(python, "-m", "pytest", "-q", *WORKERS, "tests/unit", "tests/adapters")
    times = f"{ready - began:.0f} s for its packages, {time.monotonic() - ready:.0f} s for the tests"
    lines = done.stdout.strip().splitlines() or [""]
    verdict = (
        f"Python {interpreter.version} {'failed' if done.returncode else 'passed'} ({times}): {lines[-1]}"
    )
    # At once, so that the output of another interpreter does not come in between.
    print("\n".join([*lines, verdict] if done.returncode else [verdict]), flush=True)
    return not done.returncode


def set_up(interpreter: Interpreter) -> Done:
    """Makes the virtual environment, unless it is up to date."""
    return run("make", "setup", f"VENV={interpreter.environment}", f"PYTHON={interpreter.executable}")


def run(*command: str) -> Done:
    """Runs it; stdout and stderr are one text."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main(argv: Sequence[str] = ()) -> int:
    used = ".".join(map(str, sys.version_info[:2]))
    others = [each for each in interpreters(candidates(os.environ)) if each.minor != used]
    if not others:
        print(f"no Python from 3.11 on besides {used} is on this machine")
        return 0
    if "--newest" in argv:
        others = [max(others, key=lambda each: int(each.minor.partition(".")[2]))]
    with ThreadPoolExecutor(len(others)) as pool:
        passed = list(pool.map(passes, others))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
