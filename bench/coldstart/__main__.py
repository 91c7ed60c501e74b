"""`make bench-coldstart`: how long the functions take to start. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.coldstart.aws_stub import CONNECTIONS, AwsStub, run_aws_stub
from bench.coldstart.contenders import NODE, Contender, contenders
from bench.coldstart.table import ColdStart, goals, table
from bench.posts import tools

MIN_RUNS = 15
"""The minimum number of runs: with fewer, a median on a busy machine has no meaning."""
_HTTPS = "https://0123456789.execute-api.us-east-1.amazonaws.com/production"


def log(text: str) -> None:
    sys.stderr.write(text + "\n")


def measure(contender: Contender, stub: AwsStub, home: Path) -> ColdStart:
    """Two cold starts: the init phase with AWS's endpoints, and the first event at the stub.

    Raises SystemExit when one failed, or when not all connections were posted to.
    """
    init = _start(contender, None, {"NWCHAT_ENDPOINT": _HTTPS}, home)["init"]
    stub.calls.clear()
    environ = {"NWCHAT_ENDPOINT": f"{stub.url}/production", "AWS_ENDPOINT_URL": stub.url}
    # The endpoint of @connections must stay what the handler says.
    handled = _start(contender, contender.event, environ, home)
    if handled["status"] != 200 or ("body" in contender.event and stub.calls.count("Post") < CONNECTIONS):
        raise SystemExit(f"{contender.name}: status {handled['status']}, calls {stub.calls}")
    cpu, wall = (handled["event"][name] - handled["init"][name] for name in ("cpu_ms", "wall_ms"))
    return ColdStart(init["cpu_ms"], init["wall_ms"], cpu, wall)


def _start(contender: Contender, event: Any, environ: dict[str, str], home: Path) -> dict[str, Any]:
    # Nothing from the caller's environment, except what finds programs.
    everything = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "NWCHAT_CONNECTIONS_TABLE": "connections",
        "NWCHAT_MESSAGES_TABLE": "messages",
        **contender.environ,
        **environ,
    }
    done = subprocess.run(
        [*contender.command, repr(time.time()), json.dumps(event)],
        cwd=home,
        env=everything,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise SystemExit(f"{contender.name}: exit code {done.returncode}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_all(runs: int, node: Path | None) -> dict[str, list[ColdStart]]:
    """The cold starts of each contender. They alternate, so that a busy moment affects all."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nwchat-bench-")))
        stub = stack.enter_context(run_aws_stub())
        found = stack.enter_context(contenders(node, home))
        for each in found:
            # One warm-up run, for the bytecode and the disk cache.
            measure(each, stub, home)
        starts: dict[str, list[ColdStart]] = {each.name: [] for each in found}
        for number in range(runs):
            log(f"run {number + 1} of {runs}")
            for each in found:
                starts[each.name].append(measure(each, stub, home))
    return starts


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-coldstart", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=21, help=f"of each; medians are shown (21, {MIN_RUNS} at least)"
    )
    parser.add_argument("--quick", action="store_true", help="one run without Node.js: that it works")
    options = parser.parse_args(argv)
    if options.runs < MIN_RUNS:
        parser.error(f"--runs is {MIN_RUNS} at least")
    node = None
    if not options.quick:
        try:
            node = tools.node(log, NODE)
        except tools.MissingProgram as missing:
            log(f"without Node.js: there is no {missing}")
    starts = measure_all(1 if options.quick else options.runs, node)
    sys.stdout.write("\n".join((*table(starts), "", *goals(starts))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
