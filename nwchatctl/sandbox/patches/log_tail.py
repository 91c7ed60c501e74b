"""The complete log of an invocation in its response.

ministack 1.5.33 considers a log complete after a pause of 5 ms, so that a busy machine truncates a
`LogResult`, and waits 50 ms for a function that logs nothing. Here the function's process ends each
invocation's log with a mark, which is awaited. Lambda's tail has everything that was written before the
response ("LogResult", Invoke API reference).
"""

from __future__ import annotations

import queue
import time
from typing import Any

from ministack.core import lambda_runtime

MARK = "\x1enwchatctl: end of the invocation's log\x1e"
MAX_WAIT_SECONDS = 5.0
"""The limit for a process that neither ends its log nor exits; its response has already arrived."""
_POLL_SECONDS = 0.05
_FLUSH = "        _real_stdout.flush()\n"

_drain = lambda_runtime.Worker._drain_stderr_bounded


def with_mark(script: str) -> str:
    """The script of Python environments, changed to log a mark before each response."""
    before, flush, after = script.rpartition(_FLUSH)
    if not flush or "json.loads(line)" not in before:
        raise RuntimeError("ministack's script of a Python function is not the one that this was written for")
    return f"{before}        sys.stderr.write({MARK + chr(10)!r})\n        sys.stderr.flush()\n{flush}{after}"


def drain(worker: Any, *waits: float, **options: float) -> str:
    """The log lines of one invocation, without the mark; if the process died, those written until then."""
    if not str(worker.config.get("Runtime", "")).startswith("python"):
        return str(_drain(worker, *waits, **options))
    lines: list[str] = []
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while time.monotonic() < deadline:
        # Checked before the read: a process that has ended has written all its lines.
        ended = worker._stderr_thread is None or not worker._stderr_thread.is_alive()
        try:
            line = worker._stderr_queue.get(timeout=0 if ended else _POLL_SECONDS)
        except queue.Empty:
            if ended:
                break
            continue
        if line == MARK:
            break
        lines.append(line)
    return "\n".join(lines)


def install() -> None:
    lambda_runtime._PYTHON_WORKER_SCRIPT = with_mark(lambda_runtime._PYTHON_WORKER_SCRIPT)
    lambda_runtime.Worker._drain_stderr_bounded = drain
