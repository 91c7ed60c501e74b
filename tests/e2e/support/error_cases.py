"""Commands that must fail, run in separate processes with a given environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.support.sandbox import Sandbox
from tests.unit.subprocesses import nwchatctl

SECRET = "hunter2hunter2hunter2hunter2"

AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-2", "NWCHAT_CHAT__NAME": "absent"}
"""The environment of a process that uses AWS, without credentials."""

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}


def on_sandbox(sandbox: Sandbox) -> dict[str, str]:
    """The environment of a command that uses the sandbox, and a chat that does not exist."""
    return {
        "NWCHAT_SANDBOX_DIR": str(sandbox.state.root),
        "NWCHAT_SANDBOX": "1",
        "NWCHAT_CHAT__NAME": "absent",
    }


def refused(
    folder: Path,
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    exit_code: int,
    code: str,
    message: str,
    hint: str,
) -> None:
    """Asserts that the command fails with this error and an empty stdout, with and without --json."""
    plain = nwchatctl(folder, *argv, environ=environ)
    scripted = nwchatctl(folder, *argv, "--json", environ=environ)
    assert (plain.code, plain.out) == (exit_code, "")
    printed = [line for line in plain.err.splitlines() if not line.startswith("account ")]
    assert printed == [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    assert (scripted.code, scripted.out) == (exit_code, "")
    assert json.loads(scripted.err) == {"error": {"code": code, "message": message, "hint": hint}}
