"""Commands as processes that die by SIGKILL at the call to AWS that a test names.

`python -m tests.e2e.forking` imports everything and makes boto3's clients once, then forks a process for
each line on its stdin: an import of boto3 and its clients cost a second, a fork some milliseconds. Nothing
is shared with the parent but memory: the sockets that it warmed up with are closed, and it has one thread.
"""

from __future__ import annotations

import base64
import faulthandler
import gc
import hashlib
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nwchatctl import cli
from nwchatctl.aws import adapters
from nwchatctl.aws.awslambda.package import Package, build_package
from nwchatctl.aws.core import retry
from nwchatctl.aws.core.session import Access, Aws
from nwchatctl.context import App
from nwchatctl.deploy import executor  # noqa: F401 - as above
from nwchatctl.deploy.desired import chat
from nwchatctl.output import domain_view  # noqa: F401 - what a command would import late
from tests.paths import ROOT

SECONDS = 60.0
"""How long a command may take; the slowest takes two."""

ASK_EVERY = 0.15
"""Seconds between two questions whether a function is ready, so that the second is mostly answered with yes:
the sandbox's take a tenth of a second (`nwchatctl.sandbox.patches.ministack`)."""

ABOUT = (
    *("FunctionName", "Name", "Qualifier", "StatementId", "RoleName", "PolicyName", "TableName", "StageName"),
    *(
        "logGroupName",
        "logGroupNamePrefix",
        "RouteKey",
        "Description",
        "Resource",
        "ResourceArn",
        "resourceArn",
    ),
)
"""The parameters that tell one call of an operation from another."""


@dataclass(frozen=True)
class Kill:
    """At the call of that name (`CreateRole nwchat-x-connect`): before it is sent, or after AWS has answered
    and before the tool hears of it."""

    call: str
    moment: Literal["before", "after"] = "after"


@dataclass(frozen=True)
class Line:
    """A command line with its `NWCHAT_*` variables. `newer` is the tool's next version: its functions have
    other code, its API another route and other limits."""

    argv: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    newer: bool = False


@dataclass(frozen=True)
class Ended:
    """How a process ended. `code` is its exit code, None when it was killed; `calls` are all that it sent, in
    the order of their sending by all its threads together."""

    code: int | None
    out: str
    err: str
    calls: tuple[str, ...]

    @property
    def data(self) -> Any:
        """What it printed, of a command that succeeded."""
        assert self.code == 0, self
        return json.loads(self.out)


class Forks:
    """The forking process, from outside."""

    def __init__(self, process: subprocess.Popen[str], environ: Mapping[str, str]) -> None:
        self._process = process
        self._environ = environ

    def run(self, line: Line, kill: Kill | None = None) -> Ended:
        """Runs a command to its end, one way or the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "argv": line.argv,
            "environ": {**self._environ, **line.settings},
            "newer": line.newer,
            "kill": [kill.call, kill.moment] if kill else None,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        if not readable:
            # Both say on stderr where each of their threads is.
            os.killpg(self._process.pid, signal.SIGUSR1)
            select.select([self._process.stdout], [], [], 2.0)
        assert readable, f"{line}, to be killed at {kill}, has not ended"
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], answer["out"], answer["err"], tuple(answer["calls"]))


@contextmanager
def forks(environ: Mapping[str, str], home: Path) -> Iterator[Forks]:
    """Forks of a process for the sandbox and the chat that `environ` names, which have `home` to live in."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=ROOT,
        env={**os.environ, **environ, "FORKS_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield Forks(process, environ)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(SECONDS) == 0
    finally:
        if process.poll() is None:
            # With the child that it may be waiting for.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Watch:
    """Names the calls of this process and ends it at the one that it is told.

    Threads make it a matter of luck which call comes when; its name is the same in every run: the operation
    and what it is about, ids left out, and from the second of the same on a number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._sent: Counter[str] = Counter()
        self._list = -1
        self._kill: tuple[str, str] | None = None

    def over(self, client: Any) -> None:
        """Has botocore tell of this client's calls."""
        events = client.meta.events
        events.register("provide-client-params.*.*", self._called)
        events.register("before-send.*.*", self._sending)
        events.register("before-parse.*.*", self._answered)

    def begin(self, kill: list[str] | None, list_: int) -> None:
        """From here on, in this process; names of calls are written to the file `list_`."""
        self._sent, self._list = Counter(), list_
        self._kill = (kill[0], kill[1]) if kill else None

    def _called(self, event_name: str, params: Mapping[str, Any], **_: object) -> None:
        self._thread.name = called(event_name.rpartition(".")[2], params)

    def _sending(self, **_: object) -> None:
        with self._lock:
            name = self._thread.name
            self._sent[name] += 1
            self._thread.call = call = f"{name} #{self._sent[name]}" if self._sent[name] > 1 else name
            if self._kill == (call, "before"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self._list >= 0:
                os.write(self._list, f"{call}\n".encode())

    def _answered(self, **_: object) -> None:
        if self._kill == (self._thread.call, "after"):
            os.kill(os.getpid(), signal.SIGKILL)


def called(operation: str, params: Mapping[str, Any]) -> str:
    """`CreateRole nwchat-x-connect`: a call as it is called in each of its runs."""
    about = [str(params[each]) for each in ABOUT if each in params]
    # A version's number depends on what was published before; a description of more words says nothing.
    told = [re.sub("/apis/[^/]+", "/apis/API", each) for each in about if not re.search("^[0-9]+$| ", each)]
    return " ".join([operation, *told])


def newer() -> None:
    """Makes this process the tool's next version."""
    made = build_package

    def packaged() -> Package:
        content = io.BytesIO(made().content)
        with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("nwchat/newer.py", (1980, 1, 1, 0, 0, 0)), "NEWER = True\n")
        digest = hashlib.sha256(content.getvalue()).digest()
        return Package(content.getvalue(), base64.b64encode(digest).decode())

    vars(adapters)["package"] = packaged
    chat._TIMEOUT_MS = 28_000
    chat.ROUTES = {**chat.ROUTES, "newer": "message"}


class Watched(Aws):
    """boto3 whose clients are all watched."""

    def __init__(self, access: Access, watch: Watch) -> None:
        super().__init__(access)
        self._watch = watch

    def _make(self, *wanted: Any) -> Any:
        client = super()._make(*wanted)
        self._watch.over(client)
        return client

    def close(self) -> None:
        """Leaves the clients without a connection."""
        for client in self._clients.values():
            client.close()


def _child(request: dict[str, Any], aws: Watched, watch: Watch, files: tuple[int, int, int]) -> int:
    """One command line; returns its exit code, or not at all."""
    out, err, calls = files
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    if request["newer"]:
        newer()
    app = App(environ=request["environ"])
    app.cwd = Path(os.environ["FORKS_HOME"])
    app.aws = aws
    watch.begin(request["kill"], calls)
    try:
        return int(cli._run(app, request["argv"]))
    except BaseException as error:
        return int(cli._failed(app, request["argv"], error))


def _forked(request: dict[str, Any], aws: Watched, watch: Watch) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as calls:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = _child(request, aws, watch, (out.fileno(), err.fileno(), calls.fileno()))
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        texts = []
        for file in (out, err, calls):
            file.seek(0)
            texts.append(file.read().decode())
    return {
        "code": None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status),
        "out": texts[0],
        "err": texts[1],
        "calls": texts[2].splitlines(),
    }


def _warm(aws: Watched) -> None:
    """Has every module, cache and client made, and leaves no thread and no connection."""
    app = App(environ=os.environ)
    app.aws = aws
    assert all(cli.tree().commands.values()), "every command's module is imported"
    with redirect_stdout(io.StringIO()):
        cli._run(app, ["plan"])
    aws.close()
    assert threading.active_count() == 1


def main() -> None:
    # A file of its own, which the forked do not close with their stderr.
    faulthandler.register(signal.SIGUSR1, file=os.fdopen(os.dup(2), "w"), all_threads=True)
    retry.FIRST_POLL = ASK_EVERY
    watch = Watch()
    aws = Watched(App(environ=os.environ).aws.access, watch)
    _warm(aws)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line), aws, watch)), flush=True)


if __name__ == "__main__":
    main()
