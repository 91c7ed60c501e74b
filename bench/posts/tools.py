"""Programs that only the benchmarks need: nginx, wrk, aiobotocore, the AWS SDK for Node.js.

Missing programs are downloaded into folders that git ignores. Nothing is installed on the machine or started.
A program that cannot be downloaded raises `MissingProgram`, and the benchmark continues without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parents[1]
UNPACKED = BENCH / ".tools"
"""Debian packages, unpacked; never installed."""

NODE = BENCH / "posts" / "node"
_VENV = BENCH / ".venv"
_REQUIREMENTS = BENCH / "posts" / "requirements.txt"
_ECHO = "ngx_http_echo_module.so"


class MissingProgram(Exception):
    """A program is missing and cannot be downloaded. The text says which, and how to install it."""


@dataclass(frozen=True, slots=True)
class Nginx:
    """nginx: the program, and the module that delays responses."""

    program: Path
    echo: Path

    @property
    def environ(self) -> dict[str, str]:
        return _environ(self.program)


def nginx(log: Callable[[str], None]) -> Nginx:
    """nginx with its echo module: the machine's, or unpacked here. Raises MissingProgram."""
    for root in _search_roots(("nginx-light", "libnginx-mod-http-echo"), log):
        program = _program(root, "nginx")
        echo = next((each for each in root.glob(f"usr/lib*/nginx/modules/{_ECHO}")), None)
        if program and echo:
            return Nginx(program, echo)
    raise MissingProgram("nginx with its echo module: install nginx-light and libnginx-mod-http-echo")


def wrk(log: Callable[[str], None]) -> tuple[Path, dict[str, str]]:
    """wrk and its environment: the machine's, or unpacked here. Raises MissingProgram."""
    for root in _search_roots(("wrk",), log):
        if program := _program(root, "wrk"):
            return program, _environ(program)
    raise MissingProgram("wrk, which measures how much the stub can do: install it")


def aiobotocore_python(log: Callable[[str], None]) -> Path:
    """The interpreter of bench/.venv, which has aiobotocore. Raises MissingProgram."""
    python, ready = _VENV / "bin" / "python", _VENV / ".ready"
    expected = _REQUIREMENTS.read_text()
    if not ready.is_file() or ready.read_text() != expected:
        log("setting up bench/.venv (aiobotocore)")
        venv.create(_VENV, clear=True, with_pip=True)
        _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", _REQUIREMENTS])
        ready.write_text(expected)
    return python


def node(log: Callable[[str], None], folder: Path = NODE) -> Path:
    """Node.js, with the AWS SDK in the `node_modules` of `folder`. Raises MissingProgram."""
    program = shutil.which("node")
    if program is None:
        raise MissingProgram("Node.js: install version 20 or newer, with npm")
    ready, expected = folder / "node_modules" / ".ready", (folder / "package-lock.json").read_text()
    if not ready.is_file() or ready.read_text() != expected:
        if shutil.which("npm") is None:
            raise MissingProgram("npm: install it with Node.js")
        log(f"setting up {folder.relative_to(BENCH.parent)}/node_modules (the AWS SDK)")
        _run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", folder])
        ready.write_text(expected)
    return Path(program)


def _search_roots(packages: Sequence[str], log: Callable[[str], None]) -> Iterator[Path]:
    """Directories to search: the machine, the unpacked packages, and those again after a download."""
    yield Path("/")
    yield UNPACKED
    unpack_packages(packages, UNPACKED, log)
    yield UNPACKED


def _program(root: Path, name: str) -> Path | None:
    if root == Path("/"):
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")
        return Path(found) if found else None
    return next((each for each in root.glob(f"usr/*bin/{name}")), None)


def _environ(program: Path) -> dict[str, str]:
    """Environment in which an unpacked program finds unpacked libraries."""
    if UNPACKED not in program.parents:
        return {}
    folders = [each for each in UNPACKED.glob("*/lib/*-linux-*") if each.is_dir()]
    return {"LD_LIBRARY_PATH": ":".join(map(str, (*folders, *UNPACKED.glob("lib/*-linux-*"))))}


def unpack_packages(packages: Sequence[str], folder: Path, log: Callable[[str], None], *options: str) -> None:
    """Unpacks Debian packages with their missing dependencies into `folder`. Raises MissingProgram.

    `options` are apt's own.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise MissingProgram(
            f"{' and '.join(packages)}: there is no apt-get here, so install them another way"
        )
    log(f"fetching {' and '.join(packages)} into bench/{folder.name}")
    try:
        to_download = _with_dependencies(packages, options)
    except MissingProgram:
        if os.getuid() != 0:
            raise
        # A container has no package lists before the first update.
        _run(["apt-get", "update", "-qq"])
        to_download = _with_dependencies(packages, options)
    with tempfile.TemporaryDirectory(prefix="nwchat-bench-") as downloads:
        _run(["apt-get", "download", "-q", *to_download], cwd=downloads)
        folder.mkdir(parents=True, exist_ok=True)
        for package in sorted(Path(downloads).glob("*.deb")):
            _run(["dpkg", "-x", package, folder])


def _with_dependencies(packages: Sequence[str], options: Sequence[str]) -> list[str]:
    """These packages and their missing dependencies, as `name=version` or the bare name."""
    output = _run(["apt-get", *options, "-s", "--no-install-recommends", "install", *packages])
    # Inst libluajit-5.1-2 (2.1.0~beta3+git20220320+dfsg-4.1 Debian:12.14/oldstable [amd64])
    planned = [line.split() for line in output.splitlines() if line.startswith("Inst ")]
    dependencies = [words[1] for words in planned]
    return [*dependencies, *(each for each in packages if each not in dependencies)]


def _run(command: Sequence[str | Path], cwd: str | None = None) -> str:
    """The stdout of a command. Raises MissingProgram with the last line of its stderr."""
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingProgram(str(error)) from error
    if result.returncode:
        output = (result.stderr.strip() or result.stdout.strip() or "no reason given").splitlines()
        raise MissingProgram(f"{' '.join(map(str, command[:3]))}: {output[-1]}")
    return result.stdout
