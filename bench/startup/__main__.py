"""`make bench-startup`: how long commands take that do next to nothing. See bench/README.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.startup import beside
from bench.startup.stub import serving
from bench.startup.table import Aim, table

LEAST = 15
"""Runs of each command: with fewer, a median on a busy machine says nothing."""

VERSION = "nwchatctl --version"
HELP = "nwchatctl --help"
LIST = "nwchatctl connections list --json"
TYPER = f"`python -c '{beside.TYPER}'`"
RICH = "a one-command Typer app's `--help`"
PLAIN = "the same app's without rich"
AWS = "`aws --version`"
SCAN = "a boto3 script that scans once"

AIMS = (
    Aim(VERSION, TYPER, 1.2),
    Aim(HELP, RICH, 1.2),
    Aim(HELP, PLAIN, 1.2),
    Aim(HELP, AWS, 0.6, under=True),
    Aim(LIST, SCAN, 1.8),
)


@dataclass(frozen=True)
class Bench:
    """Commands by the name that the table has for them, and the environment that all of them run in."""

    commands: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]
    home: Path

    def timed(self, name: str) -> float:
        """Seconds from the start of the process to its end. Raises SystemExit when it failed."""
        began = time.perf_counter()
        done = subprocess.run(
            self.commands[name],
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        if done.returncode or not (done.stdout or name == TYPER):
            raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
        return took


@contextmanager
def bench(awscli: Path | None) -> Iterator[Bench]:
    """All commands, and the DynamoDB that two of them ask. `awscli` is the AWS CLI's folder, if any."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nwchat-bench-")))
        tool = str(Path(sys.executable).with_name("nwchatctl"))
        commands = {
            VERSION: [tool, "--version"],
            TYPER: [sys.executable, "-c", beside.TYPER],
            HELP: [tool, "--help"],
            RICH: [*beside.script(home, "one.py", beside.ONE_COMMAND.format(options="")), "--help"],
            PLAIN: [
                *beside.script(home, "bare.py", beside.ONE_COMMAND.format(options="rich_markup_mode=None")),
                "--help",
            ],
            LIST: [tool, "connections", "list", "--json"],
            SCAN: beside.script(home, "scan.py", beside.SCAN),
        }
        if awscli is not None:
            commands[AWS] = [*beside.aws(awscli), "--version"]
        yield Bench(commands, _environ(home, stack.enter_context(serving())), home)


def _environ(home: Path, endpoint: str) -> dict[str, str]:
    # Nothing of whoever runs this: no AWS profile, no settings, no editor's debugger in the interpreter.
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NWCHAT_CHAT__NAME": "bench",
    }


def measure(with_: Bench, runs: int) -> dict[str, list[float]]:
    """The seconds of each command's runs. All are run in turn, so that a busy moment is everybody's."""
    times: dict[str, list[float]] = {name: [] for name in with_.commands}
    for name in with_.commands:
        # Once for the bytecode and the disk.
        with_.timed(name)
    for number in range(runs):
        sys.stderr.write(f"run {number + 1} of {runs}\n")
        for name in with_.commands:
            times[name].append(with_.timed(name))
    return times


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-startup", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=21, help=f"of each; medians are shown (21, {LEAST} at least)"
    )
    parser.add_argument("--no-aws", action="store_true", help="without the AWS CLI, which pip has to install")
    asked = parser.parse_args(argv)
    if asked.runs < LEAST:
        parser.error(f"--runs is {LEAST} at least")
    with bench(None if asked.no_aws else Path(sys.prefix) / "bench" / "awscli") as made:
        times = measure(made, asked.runs)
    for line in table((each for each in AIMS if each.beside in times), times):
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
