"""What starts: our functions, a plain boto3 handler and the AWS sample's in Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.posts import tools

FOLDER = tools.BENCH / "coldstart"
NODE = FOLDER / "node"
LAMBDAS = tools.BENCH.parent / "lambdas"

REQUEST = {
    "connectionId": "L0SM9cOFvHcCIhw=",
    "connectedAt": 1_681_948_677_627,
    "requestId": "bench",
    "identity": {"sourceIp": "192.0.2.7", "userAgent": "bench"},
}
CONNECT = {"headers": {"Host": "bench"}, "requestContext": {**REQUEST, "routeKey": "$connect"}}
DISCONNECT = {"requestContext": {**REQUEST, "routeKey": "$disconnect"}}
MESSAGE = {
    "requestContext": {**REQUEST, "routeKey": "onMessage"},
    "body": json.dumps({"action": "onMessage", "message": "Hello, everybody", "uname": "bench"}),
}
HISTORY = {"routeKey": "GET /messages", "requestContext": {"http": {"sourceIp": "192.0.2.7"}}}

OUR_MESSAGE, OUR_CONNECT, OUR_DISCONNECT = "`message`", "`connect`", "`disconnect`"
BOTO3_MESSAGE, BOTO3_CONNECT = "boto3, sendmessage", "boto3, onconnect"
NODE_MESSAGE, NODE_CONNECT = "Node.js, sendmessage", "Node.js, onconnect"
FROM_SOURCE = "`message` from its sources"


@dataclass(frozen=True, slots=True)
class Contender:
    """A handler: the command before the arguments of bench/coldstart/handlers.py, and its first event."""

    name: str
    command: tuple[str, ...]
    event: Mapping[str, Any]
    environ: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def contenders(node: Path | None, folder: Path) -> Iterator[tuple[Contender, ...]]:
    """All contenders; those in Node.js if there is a `node`. `folder` is for copies of the sources."""
    sources, compiled = folder / "sources", folder / "compiled"
    for copy in (sources, compiled):
        shutil.copytree(LAMBDAS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    # Here and not by a first run: the caller may have told Python to write no bytecode.
    subprocess.run([sys.executable, "-m", "compileall", "-q", compiled], env={}, check=True)
    python = _python({"PYTHONPATH": str(compiled)})
    without_bytecode = _python({"PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"})
    plain = _python({"PYTHONPATH": str(FOLDER)})
    yield (
        python(OUR_CONNECT, "nwchat.connect.handler", CONNECT),
        python(OUR_DISCONNECT, "nwchat.disconnect.handler", DISCONNECT),
        python(OUR_MESSAGE, "nwchat.message.handler", MESSAGE),
        without_bytecode(FROM_SOURCE, "nwchat.message.handler", MESSAGE),
        python("`history`", "nwchat.history.handler", HISTORY),
        plain(BOTO3_CONNECT, "boto3_sample.onconnect", CONNECT),
        plain(BOTO3_MESSAGE, "boto3_sample.sendmessage", MESSAGE),
        *(() if node is None else _node_contenders(node)),
    )


def _python(environ: Mapping[str, str]) -> Callable[[str, str, Mapping[str, Any]], Contender]:
    def make(name: str, handler: str, event: Mapping[str, Any]) -> Contender:
        return Contender(name, (sys.executable, str(FOLDER / "handlers.py"), handler), event, environ)

    return make


def _node_contenders(node: Path) -> tuple[Contender, ...]:
    # Without the warning about the end of a version's support.
    program = (str(node), "--no-warnings", str(NODE / "sample.cjs"))
    return (
        Contender(NODE_CONNECT, (*program, "onconnect"), CONNECT),
        Contender(NODE_MESSAGE, (*program, "sendmessage"), MESSAGE),
    )
