"""Starts, stops and watches the server process of one sandbox. Whether it runs is asked of its lock alone."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nwchatctl.errors import ChatError, Exit
from nwchatctl.sandbox import file_lock, state
from nwchatctl.sandbox.environment import server_environment
from nwchatctl.sandbox.state import IDLE_STOP_SECONDS, NOT_INSTALLED, PORT_TAKEN, Info, SandboxPaths, running

START_SECONDS = 20.0
STOP_SECONDS = 12.0
_CONTROL_SECONDS = 45.0
_LOG_LINES = 8
_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Status:
    """A sandbox as it is now. `pid` is None when it doesn't run; `endpoint` is then where it would."""

    running: bool
    endpoint: str
    pid: int | None
    state_dir: Path
    log: Path

    def as_data(self) -> dict[str, object]:
        return {
            "running": self.running,
            "endpoint": self.endpoint,
            "pid": self.pid,
            "state_dir": str(self.state_dir),
            "log": str(self.log),
        }


def status(where: SandboxPaths) -> Status:
    info = running(where)
    address = info.endpoint if info else state.endpoint(state.read_port(where))
    return Status(info is not None, address, info.pid if info else None, where.root, where.log)


def up(
    where: SandboxPaths,
    *,
    port: int | None = None,
    region: str = state.DEFAULT_REGION,
    idle_stop: float = IDLE_STOP_SECONDS,
) -> tuple[Status, bool]:
    """Starts the server unless it runs, waits until it answers; (its status, whether it was started now).

    One that another installation of nwchatctl started is started again from this one, with its state.

    `port` is remembered for the next time; `idle_stop` in seconds. Raises ChatError `sandbox_missing`,
    `port_taken`, `port_differs`, `sandbox_busy` or `sandbox_start` (with the end of the log).
    """
    where.make()
    with _alone(where):
        return _up(where, port=port, region=region, idle_stop=idle_stop)


def down(where: SandboxPaths) -> tuple[Status, bool]:
    """Stops the server; (its status, whether it had been running). Raises ChatError `sandbox_stop`."""
    if not where.root.is_dir():
        return status(where), False
    with _alone(where):
        stopped = _down(where)
    return status(where), stopped


def reset(where: SandboxPaths) -> tuple[Status, bool]:
    """Throws away all that the emulated AWS holds; (its status, whether it was started again)."""
    if not where.root.is_dir():
        return status(where), False
    with _alone(where):
        was = running(where)
        _down(where)
        for folder in (where.data, where.scratch):
            shutil.rmtree(folder, ignore_errors=True)
        where.credentials.unlink(missing_ok=True)
        if was is None:
            return status(where), False
        return _up(where, port=was.port, region=was.region, idle_stop=IDLE_STOP_SECONDS)


@contextmanager
def _alone(where: SandboxPaths) -> Iterator[None]:
    with file_lock.holding(where.control_lock, timeout=_CONTROL_SECONDS) as mine:
        if not mine:
            raise ChatError(
                "another command has been starting or stopping this sandbox for too long",
                hint="wait for it, or end it, and try again",
                code="sandbox_busy",
            )
        yield


def _up(where: SandboxPaths, *, port: int | None, region: str, idle_stop: float) -> tuple[Status, bool]:
    if info := _settled(where):
        if port not in (None, info.port):
            raise ChatError(
                f"the sandbox is already running on port {info.port}",
                hint=f"nwchatctl sandbox down, then nwchatctl sandbox up --port {port}",
                code="port_differs",
            )
        if info.python == sys.executable:
            return status(where), False
        # Another installation's, which may be gone or older by now: functions would start from it.
        _down(where)
        port = info.port
    if importlib.util.find_spec("ministack") is None:
        raise _missing()
    wanted = port or state.read_port(where)
    if port is not None:
        state.write_json(where.settings, {"port": port})
    _start(where, wanted, region=region, idle_stop=idle_stop)
    return status(where), True


def _settled(where: SandboxPaths) -> Info | None:
    """The running server, after waiting for one that only just begins or ends."""
    deadline = time.monotonic() + START_SECONDS
    while file_lock.is_held(where.server_lock) and time.monotonic() < deadline:
        if info := running(where):
            return info
        time.sleep(0.05)
    return None


def _start(where: SandboxPaths, port: int, *, region: str, idle_stop: float) -> None:
    _rotate(where.log)
    reading, writing = os.pipe()
    command = [
        *(sys.executable, "-P", "-m", "nwchatctl.sandbox.server"),
        *("--port", str(port), "--state-dir", str(where.root), "--region", region),
        *("--idle-stop", str(idle_stop), "--ready-fd", str(writing)),
    ]
    try:
        with where.log.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                command,
                cwd=where.root,
                env=server_environment(os.environ, state=where, port=port, region=region),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        writing = -1
        # The pipe reads as ended when the process dies, so a failed start is known at once.
        readable, _, _ = select.select([reading], [], [], START_SECONDS)
        answered = bool(readable) and bool(os.read(reading, 64))
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if not answered:
        if not readable:
            process.kill()
        raise _start_failure(process.wait(), where, begin, port)
    # It outlives this process, so nobody here waits for it.
    process.returncode = 0
    _check_health(port, where, begin)


def _check_health(port: int, where: SandboxPaths, begin: int) -> None:
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
        raise _start_failure(None, where, begin, port)


def _start_failure(code: int | None, where: SandboxPaths, begin: int, port: int) -> ChatError:
    if code == PORT_TAKEN:
        return ChatError(
            f"port {port} is taken by another process",
            hint=f"nwchatctl sandbox up --port {port + 1 if port < 65535 else port - 1}",
            code="port_taken",
        )
    if code == NOT_INSTALLED:
        return _missing()
    with where.log.open("rb") as log:
        log.seek(begin)
        tail = log.read().decode("utf-8", "replace").strip().splitlines()[-_LOG_LINES:]
    return ChatError(
        "the sandbox did not start" + "".join(f"\n  {line}" for line in tail),
        hint=f"the whole log is {where.log}",
        code="sandbox_start",
    )


def _missing() -> ChatError:
    return ChatError(
        "the embedded AWS (ministack) is not installed",
        hint="pip install 'nwchatctl[sandbox]'",
        code="sandbox_missing",
        exit_code=Exit.CONFIG,
    )


def _down(where: SandboxPaths) -> bool:
    info = _settled(where)
    if info is None:
        if file_lock.is_held(where.server_lock):
            raise _stop_failure(where)
        return False
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        # The lock proves that this pid is still the server's and not a stranger's.
        if running(where) == info:
            with suppress(ProcessLookupError):
                os.kill(info.pid, number)
        if file_lock.wait_free(where.server_lock, timeout=seconds):
            return True
    raise _stop_failure(where)


def _stop_failure(where: SandboxPaths) -> ChatError:
    return ChatError(
        "the sandbox did not stop", hint=f"its log may say why: {where.log}", code="sandbox_stop"
    )


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
