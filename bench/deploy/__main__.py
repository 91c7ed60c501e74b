"""`make bench-deploy`: how long deploys take where every AWS call takes 50 ms longer. See bench/README.md."""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.deploy.call_chain import Way
from bench.deploy.delay_proxy import Proxy
from bench.deploy.table import Run, table
from nwchatctl.commands.sandbox import start
from nwchatctl.sandbox import file_lock, process
from nwchatctl.sandbox.state import SandboxPaths, read_info, read_key, write_json, write_key

DEPLOY = ("-q", "deploy", "--yes")

CASES = ("first deploy", "nothing to do", "one change")


@dataclass(frozen=True)
class Bench:
    """A sandbox behind a proxy; `environ` is that of a tool which goes there."""

    proxy: Proxy
    environ: dict[str, str]
    home: Path

    def settings(self, case: str, number: int) -> dict[str, str]:
        """What makes run `number` of a deploy the case: a chat of its own, the same again, another limit."""
        chat = f"bench-{number}" if case == "first deploy" else "bench-0"
        # One more than the last time, so that each run finds one difference.
        rate = {"NWCHAT_STAGE__THROTTLE_RATE": str(200 + number)} if case == "one change" else {}
        return {"NWCHAT_CHAT__NAME": chat, **rate}

    def timed(self, case: str, number: int) -> Run:
        """The unchanged command line in a process of its own, by the clock."""
        self.proxy.take()
        began, busy = time.monotonic(), _processor()
        self._run("nwchatctl", case, number)
        return Run(began, time.monotonic() - began, _processor() - busy, tuple(self.proxy.take()))

    def chain(self, case: str, number: int) -> Way:
        """What of the case had to wait for each other."""
        calls, making = self._run("bench.deploy.call_chain", case, number).splitlines()[-1].split()
        return Way(int(calls), float(making))

    def _run(self, module: str, case: str, number: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", module, *DEPLOY],
            cwd=self.home,
            env={**self.environ, **self.settings(case, number)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{case}: {done.stderr}")
        return done.stderr


@contextmanager
def bench() -> Iterator[Bench]:
    """A sandbox of its own in a temporary directory, and the proxy before it; gone afterwards."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nwchat-bench-")))
        real, shown = SandboxPaths(root / "sandbox"), SandboxPaths(root / "proxied")
        stack.callback(process.down, real)
        start(real, _free_port())
        info, key = read_info(real), read_key(real)
        assert info is not None, "a sandbox that was started says where it is"
        assert key is not None, "a sandbox that was started has its operator"
        proxy = stack.enter_context(Proxy(info.port).running())
        # `--sandbox` finds its endpoint in a state directory: this one leads to the proxy.
        shown.make()
        write_json(shown.info, {"pid": os.getpid(), "port": proxy.port, "region": info.region})
        write_key(shown, key)
        stack.enter_context(file_lock.exclusive(shown.server_lock, timeout=1))
        home = root / "home"
        home.mkdir()
        yield Bench(proxy, _environ(home, shown), home)


def _environ(home: Path, sandbox: SandboxPaths) -> dict[str, str]:
    # Nothing of whoever runs this: no AWS profile, no settings, no editor's debugger in the interpreter.
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "NWCHAT_SANDBOX": "1",
        "NWCHAT_SANDBOX_DIR": str(sandbox.root),
    }


def _processor() -> float:
    """Seconds that the ended children of this process have worked; the sandbox has not ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(with_: Bench, runs: int) -> Iterator[str]:
    """The table's lines; says on stderr how far it is."""
    rows = []
    for case in CASES:
        timed = []
        for number in range(runs):
            timed.append(with_.timed(case, number))
            sys.stderr.write(f"{case}, run {number + 1} of {runs}: {timed[-1].wall:.2f} s\n")
        rows.append((case, timed, with_.chain(case, runs)))
    yield from table(rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench-deploy", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="of each case; medians are shown (7)")
    asked = parser.parse_args(argv)
    with bench() as made:
        for line in measure(made, asked.runs):
            sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
