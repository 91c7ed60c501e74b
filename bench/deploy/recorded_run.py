"""Runs a command of the tool in this process and records its plans and calls.

    python -m bench.deploy.recorded_run -q deploy --yes

The last line of stderr is the record as JSON, for `pace_model.record_from_data`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from bench.deploy.pace_model import CommandRecord, record_from_data
from nwchatctl.cli import run
from nwchatctl.deploy import executor
from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.executor import ExecutionResult
from nwchatctl.deploy.planner import Plan


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One command: its duration (s), start of the process included, its record and its output."""

    seconds: float
    record: CommandRecord
    out: str


class RunFailed(Exception):
    """The command ended with an error; the message has the end of stderr."""


def record_run(argv: Sequence[str], environ: Mapping[str, str], home: Path, *, timeout: float) -> RecordedRun:
    """Runs the command in a process of its own. Raises RunFailed."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", __name__, *argv],
        cwd=home,
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    seconds = time.monotonic() - began
    *shown, last = done.stderr.splitlines() or [""]
    if done.returncode:
        raise RunFailed("\n".join(shown[-5:]) or last)
    return RecordedRun(seconds, record_from_data(json.loads(last)), done.stdout)


def _count_calls(calls: Counter[str]) -> None:
    # Every call of every client uses this method.
    call: Any = vars(BaseClient)["_make_api_call"]

    def call_and_count(self: Any, operation: str, *args: Any) -> Any:
        # API Gateway's two APIs share a quota, and both sign as `apigateway`.
        calls[self.meta.service_model.signing_name] += 1
        return call(self, operation, *args)

    BaseClient._make_api_call = call_and_count  # type: ignore[attr-defined]


def _record_plans(plans: list[Any]) -> None:
    execute: Any = executor.execute

    def record_and_execute(plan: Plan, *args: Any, **kwargs: Any) -> ExecutionResult:
        plans.append(
            [
                {
                    "key": changed_key(change),
                    "action": change.action,
                    "after": sorted(plan.after[changed_key(change)]),
                }
                for change in plan.changes
            ]
        )
        result: ExecutionResult = execute(plan, *args, **kwargs)
        return result

    executor.execute = record_and_execute


def main(end: Callable[[int], object] = os._exit) -> None:
    calls, plans = Counter[str](), list[Any]()
    _count_calls(calls)
    _record_plans(plans)
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.write(json.dumps({"plans": plans, "calls": calls}) + "\n")
    sys.stderr.flush()
    # As nwchatctl ends: the shutdown of an interpreter with boto3 takes 150 ms.
    end(code)


if __name__ == "__main__":
    main()
