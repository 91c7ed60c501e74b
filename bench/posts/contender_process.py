"""Runs one contender once, in a separate process on its own core, without the caller's environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.posts import cores, tools
from bench.posts.contenders.common import WARM_UP
from bench.posts.gateway_stub import GatewayStub
from bench.posts.model import Case, Contender, LoadSize, Sample
from bench.posts.tools import MissingProgram

CONTENDERS = (
    Contender("cli", "nwchatctl (pycurl multi)", LoadSize(1, 32), LoadSize(1, 500)),
    Contender("function", "nwchat in Lambda", LoadSize(1, 32), LoadSize(1, 500)),
    Contender("loop", "boto3, a loop", LoadSize(0.05, 1), LoadSize(0.005, 1)),
    Contender("threads", "boto3, 32 threads", LoadSize(0.05, 32), LoadSize(0.05, 32)),
    Contender("aio", "aiobotocore", LoadSize(0.05, 32), LoadSize(0.05, 500)),
    Contender("node", "AWS sample, Node.js, SDK v3", LoadSize(0.05, 50), LoadSize(0.05, 50)),
)
BASELINE = "threads"

FRAME = json.dumps(
    {
        "v": 1,
        "type": "announcement",
        "id": "01JD3Q8Z5V0000000000000000",
        "message": "Restart at eight: the park gets new penguins, and everybody a hat.",
        "uname": "operator",
        "sender_id": "",
        "date": 1_764_021_600_000,
    },
    separators=(",", ":"),
)
"""A frame of about the usual length of announcements."""

_TIMEOUT = 600
_WRK_SECONDS = 2
_REQUESTS = re.compile(r"^Requests/sec:\s*([\d.]+)", re.M)
_LUA = """
wrk.method = "POST"
wrk.path = "{path}/@connections/L0SM9cOFvHcCIhw%3D"
wrk.body = [==[{frame}]==]
wrk.headers["Content-Type"] = "application/octet-stream"
"""


def environ(certificate: Path, home: str) -> dict[str, str]:
    """Environment variables: test credentials, no profile, no proxy, the stub's certificate as trusted."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(tools.BENCH.parent),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": str(certificate),
        # Python in Lambda trusts the certificates that OpenSSL finds.
        "SSL_CERT_FILE": str(certificate),
        "NODE_EXTRA_CA_CERTS": str(certificate),
    }


def commands(log: Callable[[str], None], contenders: list[Contender]) -> dict[str, list[str]]:
    """The command of each contender. Contenders whose programs are missing are left out, and logged."""
    commands_by_name = {}
    for contender in contenders:
        try:
            commands_by_name[contender.name] = _command(contender.name, log)
        except MissingProgram as missing:
            log(f"without {contender.label}: {missing}")
    return commands_by_name


def _command(name: str, log: Callable[[str], None]) -> list[str]:
    if name == "node":
        return [str(tools.node(log)), str(tools.NODE / "sample.mjs")]
    python = str(tools.aiobotocore_python(log)) if name == "aio" else sys.executable
    return [python, "-m", f"bench.posts.contenders.{name}"]


def run_contender(
    command: list[str], contender: Contender, case: Case, stub: GatewayStub, posts: int
) -> Sample:
    """One run of a contender.

    Raises SystemExit with its output when it fails, and when it reports more posts than the stub received.
    """
    size = contender.size(case)
    count = max(1, round(posts * size.share))
    before = stub.request_count()
    output = run_process([*command, stub.url(case), str(count), str(size.at_once), FRAME], stub.certificate)
    sample = Sample.of(json.loads(output.splitlines()[-1]))
    served = stub.request_count() - before - 1 - min(WARM_UP, count)
    if served < sample.delivered:
        raise SystemExit(f"{contender.label} says {sample.delivered} delivered, the stub had {served} posts")
    return sample


def run_process(command: list[str], certificate: Path, extra: Mapping[str, str] | None = None) -> str:
    """The stdout of a process on the contender's core. Raises SystemExit with its stderr when it fails."""
    with tempfile.TemporaryDirectory(prefix="nwchat-bench-") as home, cores.pin_to(cores.CONTENDER_CORES):
        done = subprocess.run(
            command,
            cwd=tools.BENCH.parent,
            env={**environ(certificate, home), **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"{' '.join(command[:3])}: {done.stderr[-2000:] or 'it said nothing'}")
    return done.stdout


def stub_ceiling(
    case: Case, stub: GatewayStub, connections: int, wrk: tuple[Path, Mapping[str, str]]
) -> float:
    """Posts/s of the stub, measured by `wrk` (the program and its environment) from the contender's core."""
    program, libraries = wrk
    with tempfile.NamedTemporaryFile("w", suffix=".lua", prefix="nwchat-bench-") as script:
        script.write(_LUA.format(path="/" + stub.url(case).rpartition("/")[2], frame=FRAME))
        script.flush()
        shape = ["-t1", f"-c{connections}", f"-d{_WRK_SECONDS}s", "-s", script.name]
        output = run_process([str(program), *shape, stub.url(case)], stub.certificate, libraries)
    match = _REQUESTS.search(output)
    if match is None:
        raise SystemExit(f"wrk did not say how much it did: {output[-300:]}")
    return float(match[1])
