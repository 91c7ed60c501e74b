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

from bench.startup import baselines
from bench.startup.dynamodb_stub import run_dynamodb_stub
from bench.startup.table import RatioLimit, table

MIN_RUNS = 15
"""The minimum number of runs: with fewer, a median on a busy machine has no meaning."""

VERSION = "nwchatctl --version"
HELP = "nwchatctl --help"
LIST = "nwchatctl connections list --json"
TYPER = f"`python -c '{baselines.TYPER}'`"
WITH_RICH = "a one-command Typer app's `--help`"
WITHOUT_RICH = "the same app's without rich"
AWS = "`aws --version`"
SCAN = "a boto3 script that scans once"

LIMITS = (
    RatioLimit(VERSION, TYPER, 1.2),
    RatioLimit(HELP, WITH_RICH, 1.2),
    RatioLimit(HELP, WITHOUT_RICH, 1.2),
    RatioLimit(HELP, AWS, 0.6, exclusive=True),
    RatioLimit(LIST, SCAN, 1.8),
)


@dataclass(frozen=True)
class StartupBench:
    """Commands by their name in the table, and the environment that all of them run in."""

    commands: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]
    home: Path

    def measure(self, name: str) -> float:
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
        seconds = time.perf_counter() - began
        if done.returncode or not (done.stdout or name == TYPER):
            raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stderr}")
        return seconds


@contextmanager
def start_bench(awscli: Path | None) -> Iterator[StartupBench]:
    """Prepares the commands and the DynamoDB stub that two of them use. `awscli` is the AWS CLI's folder."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nwchat-bench-")))
        # By its interpreter, as the scripts beside it: where a path has a space, pip's script starts a shell.
        tool = [sys.executable, str(Path(sys.executable).with_name("nwchatctl"))]
        commands = {
            VERSION: [*tool, "--version"],
            TYPER: [sys.executable, "-c", baselines.TYPER],
            HELP: [*tool, "--help"],
            WITH_RICH: [
                *baselines.script(home, "one.py", baselines.ONE_COMMAND.format(options="")),
                "--help",
            ],
            WITHOUT_RICH: [
                *baselines.script(
                    home, "bare.py", baselines.ONE_COMMAND.format(options="rich_markup_mode=None")
                ),
                "--help",
            ],
            LIST: [*tool, "connections", "list", "--json"],
            SCAN: baselines.script(home, "scan.py", baselines.SCAN),
        }
        if awscli is not None:
            commands[AWS] = [*baselines.aws(awscli), "--version"]
        yield StartupBench(commands, _environ(home, stack.enter_context(run_dynamodb_stub())), home)


def _environ(home: Path, endpoint: str) -> dict[str, str]:
    # Nothing from the caller's environment: no AWS profile, no settings, no debugger of an editor.
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


def measure(bench: StartupBench, runs: int) -> dict[str, list[float]]:
    """The seconds of each command's runs. The commands alternate, so that a busy moment affects all."""
    times: dict[str, list[float]] = {name: [] for name in bench.commands}
    for name in bench.commands:
        # One warm-up run, for the bytecode and the disk cache.
        bench.measure(name)
    for number in range(runs):
        sys.stderr.write(f"run {number + 1} of {runs}\n")
        for name in bench.commands:
            times[name].append(bench.measure(name))
    return times


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-startup", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=21, help=f"of each; medians are shown (21, {MIN_RUNS} at least)"
    )
    parser.add_argument("--no-aws", action="store_true", help="without the AWS CLI, which pip has to install")
    options = parser.parse_args(argv)
    if options.runs < MIN_RUNS:
        parser.error(f"--runs is {MIN_RUNS} at least")
    with start_bench(None if options.no_aws else Path(sys.prefix) / "bench" / "awscli") as bench:
        times = measure(bench, options.runs)
    for line in table((each for each in LIMITS if each.baseline in times), times):
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
