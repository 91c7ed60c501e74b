from __future__ import annotations

import io
import queue
import threading
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.core import lambda_runtime

from nwchatctl.sandbox.patches import log_tail

HANDLER = """
import sys
def handler(event, context):
    for each in range(event):
        print(each)
    return event
"""


def zipped(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    script = log_tail.with_mark(lambda_runtime._PYTHON_WORKER_SCRIPT)
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", script)
    monkeypatch.setattr(lambda_runtime.Worker, "_drain_stderr_bounded", log_tail.drain)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:app"
    config = {
        "FunctionName": "app",
        "FunctionArn": arn,
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "Timeout": 20,
    }
    made = lambda_runtime.Worker("app", config, zipped(HANDLER))
    yield made
    process, reader = made._proc, made._stderr_thread
    made.kill()
    reader.join()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


@pytest.mark.parametrize("lines", [0, 1, 1000])
def test_each_answer_has_its_own_lines(worker: Any, lines: int) -> None:
    for _ in range(2):
        answer = worker.invoke(lines, "r")
        assert answer["result"] == lines
        assert answer["log"].split() == [str(each) for each in range(lines)]


def of(thread: threading.Thread, *lines: str) -> Any:
    put: queue.Queue[str] = queue.Queue()
    for line in lines:
        put.put(line)
    return SimpleNamespace(config={"Runtime": "python3.13"}, _stderr_queue=put, _stderr_thread=thread)


def test_a_line_that_comes_late_is_awaited() -> None:
    """However long the reading thread got no turn: here, until somebody waits for it."""
    slow = of(threading.current_thread(), "first")
    late = threading.Timer(0.2, lambda: [slow._stderr_queue.put(each) for each in ("last", log_tail.MARK)])
    late.start()
    assert log_tail.drain(slow) == "first\nlast"
    late.join()


def test_a_process_that_died_is_not_waited_for() -> None:
    dead = threading.Thread(target=str)
    dead.start()
    dead.join()
    assert log_tail.drain(of(dead, "Traceback", "Killed")) == "Traceback\nKilled"


def test_other_script_is_distinguished() -> None:
    with pytest.raises(RuntimeError):
        log_tail.with_mark("print('another')")
