"""Commands in forked processes that are killed with SIGKILL at a given call to AWS.

`python -m tests.e2e.support.forked_deploys` imports all modules and creates boto3's clients once, then forks
a process for each line on its stdin: importing boto3 and creating clients takes a second, a fork takes
milliseconds. A fork shares only memory with its parent: the parent has one thread and no open connections.
"""

from __future__ import annotations

import base64
import faulthandler
import gc
import hashlib
import io
import json
import os
import pkgutil
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
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from nwchatctl import cli, commands, operations, output
from nwchatctl.aws import adapters
from nwchatctl.aws.awslambda.package import Package, build_package
from nwchatctl.aws.core import retry
from nwchatctl.aws.core.session import Access, Aws
from nwchatctl.context import App
from nwchatctl.deploy.desired import chat
from tests.paths import ROOT

SECONDS = 180.0
"""Timeout of a command; the slowest takes two seconds where the machine is idle."""

POLL_SECONDS = 0.15
"""Seconds between two polls of a function's state. In the sandbox a function is ready after a tenth of a
second (`nwchatctl.sandbox.patches.ministack`), so the second poll usually succeeds."""

IDENTIFYING_PARAMETERS = (
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
"""The parameters that distinguish two calls of the same operation."""


@dataclass(frozen=True)
class KillPoint:
    """The call (`CreateRole nwchat-x-connect`) at which a process is killed: before it is sent, or after AWS
    has answered and before the tool receives the answer."""

    call: str
    moment: Literal["before", "after"] = "after"


@dataclass(frozen=True)
class CommandLine:
    """A command line with its `NWCHAT_*` variables. `newer` runs the next version of the tool: other function
    code, one more route and another integration timeout."""

    argv: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    newer: bool = False


@dataclass(frozen=True)
class ForkResult:
    """How a process ended. `code` is its exit code, or None if it was killed. `calls` are all calls that it
    sent, in the order in which they were sent."""

    code: int | None
    out: str
    err: str
    calls: tuple[str, ...]

    @property
    def data(self) -> Any:
        """The JSON output of a command that succeeded."""
        assert self.code == 0, self
        return json.loads(self.out)


class Forks:
    """A client of the forking process."""

    def __init__(self, process: subprocess.Popen[str], environ: Mapping[str, str]) -> None:
        self._process = process
        self._environ = environ

    def run(self, line: CommandLine, kill: KillPoint | None = None) -> ForkResult:
        """Runs a command until it ends or is killed."""
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
            # Makes parent and child print the stacks of their threads to stderr.
            os.killpg(self._process.pid, signal.SIGUSR1)
            select.select([self._process.stdout], [], [], 2.0)
        assert readable, f"{line}, to be killed at {kill}, has not ended"
        answer = json.loads(self._process.stdout.readline())
        return ForkResult(answer["code"], answer["out"], answer["err"], tuple(answer["calls"]))


@contextmanager
def forks(environ: Mapping[str, str], home: Path) -> Iterator[Forks]:
    """Starts the forking process for the sandbox and chat of `environ`, with `home` as working directory."""
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
            # Together with its child process.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class CallRecorder:
    """Records the calls of this process by name and kills the process at the kill point.

    Threads send calls in any order, but a call has the same name in every run: the operation and its
    identifying parameters without ids, and a number from the second such call on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._sent: Counter[str] = Counter()
        self._list = -1
        self._kill: tuple[str, str] | None = None

    def attach(self, client: Any) -> None:
        """Registers for the calls of this client."""
        events = client.meta.events
        events.register("provide-client-params.*.*", self._name_call)
        events.register("before-send.*.*", self._before_send)
        events.register("before-parse.*.*", self._before_parse)

    def begin(self, kill: list[str] | None, list_: int) -> None:
        """Starts recording in this process. Call names are written to the file descriptor `list_`."""
        self._sent, self._list = Counter(), list_
        self._kill = (kill[0], kill[1]) if kill else None

    def _name_call(self, event_name: str, params: Mapping[str, Any], **_: object) -> None:
        self._thread.name = call_name(event_name.rpartition(".")[2], params)

    def _before_send(self, **_: object) -> None:
        with self._lock:
            name = self._thread.name
            self._sent[name] += 1
            self._thread.call = call = f"{name} #{self._sent[name]}" if self._sent[name] > 1 else name
            if self._kill == (call, "before"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self._list >= 0:
                os.write(self._list, f"{call}\n".encode())

    def _before_parse(self, **_: object) -> None:
        if self._kill == (self._thread.call, "after"):
            os.kill(os.getpid(), signal.SIGKILL)


def call_name(operation: str, params: Mapping[str, Any]) -> str:
    """The name of a call, equal in every run: `CreateRole nwchat-x-connect`."""
    about = [str(params[each]) for each in IDENTIFYING_PARAMETERS if each in params]
    # Version numbers depend on earlier publishes, and free-text descriptions do not identify anything.
    parts = [re.sub("/apis/[^/]+", "/apis/API", each) for each in about if not re.search("^[0-9]+$| ", each)]
    return " ".join([operation, *parts])


def newer() -> None:
    """Patches this process so that it is the next version of the tool."""
    made = build_package

    def packaged() -> Package:
        content = io.BytesIO(made().content)
        with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("nwchat/newer.py", (1980, 1, 1, 0, 0, 0)), "NEWER = True\n")
        digest = hashlib.sha256(content.getvalue()).digest()
        return Package(content.getvalue(), base64.b64encode(digest).decode())

    vars(adapters)["build_package"] = packaged
    chat._TIMEOUT_MS = 28_000
    chat.ROUTES = {**chat.ROUTES, "newer": "message"}


class RecordedAws(Aws):
    """An AWS session that records the calls of all its clients."""

    def __init__(self, access: Access, recorder: CallRecorder) -> None:
        super().__init__(access)
        self._recorder = recorder

    def _make(self, *wanted: Any, **options: Any) -> Any:
        client = super()._make(*wanted, **options)
        self._recorder.attach(client)
        return client

    def close(self) -> None:
        """Closes all connections of the clients."""
        for client in self._clients.values():
            client.close()


def _child(
    request: dict[str, Any], aws: RecordedAws, recorder: CallRecorder, files: tuple[int, int, int]
) -> int:
    """Runs one command line. Returns its exit code, unless the process is killed."""
    out, err, calls = files
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    if request["newer"]:
        newer()
    app = App(environ=request["environ"])
    app.cwd = Path(os.environ["FORKS_HOME"])
    app.aws = aws
    recorder.begin(request["kill"], calls)
    try:
        return int(cli._run(app, request["argv"]))
    except BaseException as error:
        return int(cli._failed(app, request["argv"], error))


def _forked(request: dict[str, Any], aws: RecordedAws, recorder: CallRecorder) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as calls:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = _child(request, aws, recorder, (out.fileno(), err.fileno(), calls.fileno()))
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


def _warm(aws: RecordedAws) -> None:
    """Fills all caches and creates all clients. Leaves no thread and no connection behind."""
    app = App(environ=os.environ)
    app.aws = aws
    assert all(cli.tree().commands.values()), "every command's module is imported"
    with redirect_stdout(io.StringIO()):
        cli._run(app, ["plan"])
    aws.close()
    assert threading.active_count() == 1


def _import_all(*packages: ModuleType) -> None:
    """Imports what commands import late, so that no forked process has to."""
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)


def main() -> None:
    # A file descriptor of its own, as child processes replace their stderr.
    faulthandler.register(signal.SIGUSR1, file=os.fdopen(os.dup(2), "w"), all_threads=True)
    retry.FIRST_POLL = POLL_SECONDS
    recorder = CallRecorder()
    aws = RecordedAws(App(environ=os.environ).aws.access, recorder)
    _import_all(commands, operations, output)
    _warm(aws)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line), aws, recorder)), flush=True)


if __name__ == "__main__":
    main()
