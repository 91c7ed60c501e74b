"""Commands in forked processes that run at the same time, each after a delay of its own.

As `forked_deploys`: `python -m tests.e2e.support.concurrent_forks` imports everything and creates the clients
once, then forks a process for each command of the list on a line of its stdin."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.retries.standard import ExponentialBackoff

from nwchatctl import cli, commands, operations, output
from nwchatctl.aws.core import retry
from nwchatctl.context import App
from nwchatctl.operations.deployed_api import require_api
from tests.e2e.support.chat import Ran
from tests.e2e.support.forked_deploys import CallRecorder, RecordedAws, _import_all, _warm
from tests.paths import ROOT

LONGEST_BACKOFF = 0.2
"""Seconds between two attempts of a call, of botocore and of the tool: faults are over at once here."""


@dataclass(frozen=True)
class DelayedCommand:
    """A command line that starts `delay` seconds after the others."""

    argv: tuple[str, ...]
    delay: float


class ConcurrentForks:
    """A client of the forking process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *lines: DelayedCommand) -> list[Ran]:
        """Runs the commands at the same time until all have ended; their results in the same order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([[line.argv, line.delay] for line in lines]) + "\n")
        self._process.stdin.flush()
        return [Ran(*each) for each in json.loads(self._process.stdout.readline())]


@contextmanager
def concurrent_forks(environ: Mapping[str, str], home: Path) -> Iterator[ConcurrentForks]:
    """Starts the forking process for the sandbox and chat of `environ`, with `home` as working directory."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=ROOT,
        env={**os.environ, **environ, "FORKS_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield ConcurrentForks(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def _fork(argv: Sequence[str], delay: float, warm: App, out: IO[bytes], err: IO[bytes]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        time.sleep(delay)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        app = App(environ=os.environ)
        app.cwd, app.aws, app.cloud = Path(os.environ["FORKS_HOME"]), warm.aws, warm.cloud
        try:
            code = int(cli._run(app, list(argv)))
        except BaseException as error:
            code = int(cli._failed(app, list(argv), error))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _run_together(lines: Sequence[tuple[list[str], float]], warm: App) -> list[Any]:
    with ExitStack() as stack:
        files = [[stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)] for _ in lines]
        pids = [_fork(argv, delay, warm, *each) for (argv, delay), each in zip(lines, files, strict=True)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        for each in (file for pair in files for file in pair):
            each.seek(0)
        texts = [[file.read().decode() for file in pair] for pair in files]
    return [(code, *pair) for code, pair in zip(codes, texts, strict=True)]


def main() -> None:
    retry.FIRST_WAIT = retry.LONGEST_WAIT = LONGEST_BACKOFF
    ExponentialBackoff._MAX_BACKOFF = LONGEST_BACKOFF  # type: ignore[attr-defined]
    _import_all(commands, operations, output)
    warm = App(environ=os.environ)
    warm.aws = aws = RecordedAws(warm.aws.access, CallRecorder())
    aws.client("dynamodb", retries=False)
    # Who the caller is and where the chat is costs each command as much as all the rest.
    require_api(warm)
    assert warm.connections_url
    _warm(aws)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_run_together(json.loads(line), warm)), flush=True)


if __name__ == "__main__":
    main()
