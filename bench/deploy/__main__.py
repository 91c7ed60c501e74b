"""`make bench-deploy`: how long deploys take where every AWS call takes 50 ms longer, and at AWS's pace. See
bench/README.md."""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.deploy.call_chain import ChainLength
from bench.deploy.delay_proxy import DelayProxy
from bench.deploy.pace_model import lower_bound
from bench.deploy.recorded_run import record_run
from bench.deploy.table import CaseRow, DeployRun, PacedDeploy, table
from nwchatctl.operations.sandbox import start
from nwchatctl.sandbox import file_lock, process
from nwchatctl.sandbox.limits import AWS_PACE, RuleValues, parse_pace
from nwchatctl.sandbox.state import (
    SandboxPaths,
    announce_proxy,
    read_info,
    read_key,
    write_json,
    write_key,
)

DEPLOY = ("-q", "deploy", "--yes")

CASES = ("first deploy", "nothing to do", "one change")


PACED_SECONDS = 1500.0
"""The longest that a deploy at AWS's pace may take: it waits up to 20 minutes for point-in-time recovery."""


def settings(case: str, number: int) -> dict[str, str]:
    """The settings of run `number` of a case: a new chat, the same chat, or another throttle rate."""
    chat = f"bench-{number}" if case == "first deploy" else "bench-0"
    # Each run increases the rate, so that it finds one difference.
    environment = {"NWCHAT_STAGE__THROTTLE_RATE": str(200 + number)} if case == "one change" else {}
    return {"NWCHAT_CHAT__NAME": chat, **environment}


@dataclass(frozen=True)
class DeployBench:
    """A sandbox behind a proxy. `environ` is the environment of a process that uses the proxy."""

    proxy: DelayProxy
    environ: dict[str, str]
    home: Path

    def measure_run(self, case: str, number: int) -> DeployRun:
        """Runs the unchanged command in a new process and measures its times."""
        self.proxy.take_calls()
        began, cpu_before = time.monotonic(), _children_cpu_seconds()
        self._run("nwchatctl", case, number)
        return DeployRun(
            began,
            time.monotonic() - began,
            _children_cpu_seconds() - cpu_before,
            tuple(self.proxy.take_calls()),
        )

    def measure_chain(self, case: str, number: int) -> ChainLength:
        """The length of the longest chain of calls in the case."""
        calls, pending_seconds = self._run("bench.deploy.call_chain", case, number).splitlines()[-1].split()
        return ChainLength(int(calls), float(pending_seconds))

    def _run(self, module: str, case: str, number: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", module, *DEPLOY],
            cwd=self.home,
            env={**self.environ, **settings(case, number)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{case}: {done.stderr}")
        return done.stderr


@contextmanager
def start_bench() -> Iterator[DeployBench]:
    """Starts a sandbox in a temporary directory and the proxy in front of it. Removes both at the end."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nwchat-bench-")))
        real, proxied = SandboxPaths(root / "sandbox"), SandboxPaths(root / "proxied")
        stack.callback(process.down, real)
        start(real, _free_port())
        info, key = read_info(real), read_key(real)
        assert info is not None, "a sandbox that was started says where it is"
        assert key is not None, "a sandbox that was started has its operator"
        proxy = stack.enter_context(DelayProxy(info.port).serve())
        # `--sandbox` reads its endpoint from a state directory: this one points to the proxy.
        proxied.make()
        write_json(proxied.info, {"pid": os.getpid(), "port": proxy.port, "region": info.region})
        write_key(proxied, key)
        stack.enter_context(file_lock.exclusive(proxied.server_lock, timeout=1))
        stack.enter_context(announce_proxy(real, proxy.port))
        home = root / "home"
        home.mkdir()
        yield DeployBench(proxy, _environ(home, proxied), home)


def _environ(home: Path, sandbox: SandboxPaths) -> dict[str, str]:
    # Nothing from the caller's environment: no AWS profile, no settings, no debugger of an editor.
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "NWCHAT_SANDBOX": "1",
        "NWCHAT_SANDBOX_DIR": str(sandbox.root),
    }


def _children_cpu_seconds() -> float:
    """User and system time (s) of the child processes that have ended. The sandbox has not ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(bench: DeployBench, runs: int, paced: Mapping[str, PacedDeploy]) -> Iterator[str]:
    """The lines of the table. Reports progress on stderr."""
    rows = []
    for case in CASES:
        case_runs = []
        for number in range(runs):
            case_runs.append(bench.measure_run(case, number))
            sys.stderr.write(f"{case}, run {number + 1} of {runs}: {case_runs[-1].wall:.2f} s\n")
        rows.append(CaseRow(case, case_runs, bench.measure_chain(case, runs), paced.get(case)))
    yield from table(rows)


def measure_paced(limits: RuleValues) -> dict[str, PacedDeploy]:
    """Each case once, in a sandbox of its own with these limits. Reports progress on stderr."""
    measured = {}
    with tempfile.TemporaryDirectory(prefix="nwchat-bench-") as root:
        sandbox, home = SandboxPaths(Path(root) / "sandbox"), Path(root) / "home"
        home.mkdir()
        try:
            start(sandbox, _free_port(), limits)
            for case in CASES:
                environ = {**_environ(home, sandbox), **settings(case, 0)}
                ran = record_run(DEPLOY, environ, home, timeout=PACED_SECONDS)
                measured[case] = PacedDeploy(ran.seconds, lower_bound(ran.record, limits).seconds)
                sys.stderr.write(f"{case} at pace {limits.pace:g}: {ran.seconds:.1f} s\n")
        finally:
            process.down(sandbox)
    return measured


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-deploy", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of each case; medians are shown (7)")
    parser.add_argument(
        "--pace", type=parse_pace, default=AWS_PACE, help="of AWS's own times, for one run of each case (1)"
    )
    options = parser.parse_args(argv)
    paced = measure_paced(RuleValues(options.pace)) if options.pace else {}
    with start_bench() as bench:
        for line in measure(bench, options.runs, paced):
            sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
