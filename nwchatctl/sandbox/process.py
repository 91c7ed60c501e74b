"""Starts, stops and watches the server process of one sandbox. It runs if its lock file is locked."""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nwchatctl.errors import ChatError, Exit
from nwchatctl.private_files import open_to_append
from nwchatctl.sandbox import directory, file_lock, state
from nwchatctl.sandbox.environment import server_environment
from nwchatctl.sandbox.limits import RuleValues, to_options
from nwchatctl.sandbox.state import (
    IDLE_STOP_SECONDS,
    NOT_INSTALLED,
    PORT_TAKEN,
    SERVER_VERSION,
    SandboxPaths,
    ServerInfo,
    running,
)

START_SECONDS = 20.0
STOP_SECONDS = 12.0
_CONTROL_SECONDS = 45.0
_LOG_LINES = 8
_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a sandbox. If it does not run, `pid` is None and `endpoint` is where it would listen."""

    running: bool
    endpoint: str
    pid: int | None
    state_dir: Path
    credentials: Path
    log: Path
    limits: RuleValues

    def as_data(self) -> dict[str, object]:
        return {
            "running": self.running,
            "endpoint": self.endpoint,
            "pid": self.pid,
            "state_dir": str(self.state_dir),
            "credentials": str(self.credentials),
            "log": str(self.log),
            "pace": self.limits.pace,
            "limits": self.limits.as_data(),
        }


def status(paths: SandboxPaths) -> Status:
    info = running(paths)
    address = info.endpoint if info else state.endpoint(state.read_port(paths))
    pid, limits = (info.pid, info.limits) if info else (None, RuleValues())
    return Status(info is not None, address, pid, paths.root, paths.credentials, paths.log, limits)


def up(
    paths: SandboxPaths,
    *,
    port: int | None = None,
    idle_stop: float = IDLE_STOP_SECONDS,
    limits: RuleValues | None = None,
) -> tuple[Status, bool]:
    """Starts the server unless it runs, and waits until it responds; (its status, whether it was started
    now).

    A server that another installation or an earlier version of nwchatctl started is restarted from this
    one, with its state.

    `port` is stored as the default for later starts; `idle_stop` in seconds; `limits` are AWS's own without
    its pace, or those of the server that runs. Raises ChatError `sandbox_missing`, `port_taken`,
    `port_differs`, `limits_differ`, `sandbox_busy` or `sandbox_start` (with the end of the log).
    """
    paths.make()
    with _exclusive(paths):
        return _up(paths, port=port, region=state.DEFAULT_REGION, idle_stop=idle_stop, limits=limits)


def down(paths: SandboxPaths) -> tuple[Status, bool]:
    """Stops the server; (its status, whether it had been running). Raises ChatError `sandbox_stop`, or
    `sandbox_dir` for a directory of something else."""
    if not directory.check(paths.root):
        return status(paths), False
    with _exclusive(paths):
        stopped = _down(paths)
    return status(paths), stopped


def reset(paths: SandboxPaths) -> tuple[Status, bool]:
    """Deletes all state of the emulated AWS, with its keys; (its status, whether it was restarted).

    Raises ChatError `sandbox_dir`, and deletes nothing, for a directory of something else.
    """
    if not directory.check(paths.root):
        return status(paths), False
    paths.make()
    with _exclusive(paths):
        before = running(paths)
        _down(paths)
        directory.delete(paths.root, paths.data.name, paths.scratch.name, paths.credentials.name)
        if before is None:
            return status(paths), False
        return _up(
            paths,
            port=before.port,
            region=before.region,
            idle_stop=IDLE_STOP_SECONDS,
            limits=before.limits,
        )


@contextmanager
def _exclusive(paths: SandboxPaths) -> Iterator[None]:
    with file_lock.exclusive(paths.control_lock, timeout=_CONTROL_SECONDS) as acquired:
        if not acquired:
            raise ChatError(
                "another command has been starting or stopping this sandbox for too long",
                hint="wait for it, or end it, and try again",
                code="sandbox_busy",
            )
        yield


def _up(
    paths: SandboxPaths, *, port: int | None, region: str, idle_stop: float, limits: RuleValues | None
) -> tuple[Status, bool]:
    if info := _wait_for_server(paths):
        if port not in (None, info.port):
            raise ChatError(
                f"the sandbox is already running on port {info.port}",
                hint=f"nwchatctl sandbox down, then nwchatctl sandbox up --port {port}",
                code="port_differs",
            )
        if limits not in (None, info.limits):
            raise ChatError(
                "the sandbox is already running with another pace or other limits",
                hint="nwchatctl sandbox down, then the same command again",
                code="limits_differ",
            )
        if (info.python, info.version) == (sys.executable, SERVER_VERSION):
            return status(paths), False
        # Another installation's server may be deleted or older by now, and functions would run from it.
        _down(paths)
        port, limits = info.port, info.limits
    if importlib.util.find_spec("ministack") is None:
        raise _not_installed()
    wanted_port = port or state.read_port(paths)
    if port is not None:
        state.write_json(paths.settings, {"port": port})
    _start(paths, wanted_port, region=region, idle_stop=idle_stop, limits=limits or RuleValues())
    return status(paths), True


def _wait_for_server(paths: SandboxPaths) -> ServerInfo | None:
    """The running server, after waiting for one that is starting or stopping."""
    deadline = time.monotonic() + START_SECONDS
    while file_lock.is_locked(paths.server_lock) and time.monotonic() < deadline:
        if info := running(paths):
            return info
        time.sleep(0.05)
    return None


def _start(paths: SandboxPaths, port: int, *, region: str, idle_stop: float, limits: RuleValues) -> None:
    _rotate(paths.log)
    reading, writing = os.pipe()
    command = [
        *(sys.executable, "-P", "-m", "nwchatctl.sandbox.server"),
        *("--port", str(port), "--state-dir", str(paths.root), "--region", region),
        *("--idle-stop", str(idle_stop), "--ready-fd", str(writing)),
        *to_options(limits),
    ]
    try:
        with open_to_append(paths.log) as log:
            log_offset = log.tell()
            process = subprocess.Popen(
                command,
                cwd=paths.root,
                env=server_environment(os.environ, paths=paths, port=port, region=region),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        writing = -1
        # The pipe ends when the process dies, so a failed start is detected at once.
        readable, _, _ = select.select([reading], [], [], START_SECONDS)
        answered = bool(readable) and bool(os.read(reading, 64))
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if not answered:
        if not readable:
            process.kill()
        raise _start_failure(process.wait(), paths, log_offset, port)
    # The server outlives this process, which therefore does not wait for it.
    process.returncode = 0
    _check_health(port, paths, log_offset)


def _check_health(port: int, paths: SandboxPaths, log_offset: int) -> None:
    # Only a start needs it, and it takes 30 ms to import.
    import http.client  # noqa: PLC0415 - see the comment above

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        healthy = connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        healthy = False
    finally:
        connection.close()
    if not healthy:
        raise _start_failure(None, paths, log_offset, port)


def _start_failure(code: int | None, paths: SandboxPaths, log_offset: int, port: int) -> ChatError:
    if code == PORT_TAKEN:
        return ChatError(
            f"port {port} is taken by another process",
            hint=f"nwchatctl sandbox up --port {port + 1 if port < 65535 else port - 1}",
            code="port_taken",
        )
    if code == NOT_INSTALLED:
        return _not_installed()
    with paths.log.open("rb") as log:
        log.seek(log_offset)
        tail = log.read().decode("utf-8", "replace").strip().splitlines()[-_LOG_LINES:]
    return ChatError(
        "the sandbox did not start" + "".join(f"\n  {line}" for line in tail),
        hint=f"the whole log is {paths.log}",
        code="sandbox_start",
    )


def _not_installed() -> ChatError:
    return ChatError(
        "the embedded AWS (ministack) is not installed",
        hint="pip install 'nwchatctl[sandbox]'",
        code="sandbox_missing",
        exit_code=Exit.CONFIG,
    )


def _down(paths: SandboxPaths) -> bool:
    info = _wait_for_server(paths)
    if info is None:
        if file_lock.is_locked(paths.server_lock):
            raise _stop_failure(paths)
        return False
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        # The lock proves that this pid is still the server's.
        if running(paths) == info:
            with suppress(ProcessLookupError):
                os.kill(info.pid, number)
        if file_lock.wait_until_free(paths.server_lock, timeout=seconds):
            return True
    raise _stop_failure(paths)


def _stop_failure(paths: SandboxPaths) -> ChatError:
    return ChatError(
        "the sandbox did not stop", hint=f"its log may say why: {paths.log}", code="sandbox_stop"
    )


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
