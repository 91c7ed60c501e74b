"""Commands that are to fail: as processes of their own, in an environment of the test's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.support.sandbox import Sandbox
from tests.unit.subprocesses import nwchatctl

SECRET = "hunter2hunter2hunter2hunter2"

AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-2", "NWCHAT_CHAT__NAME": "absent"}
"""On AWS as far as the process knows, and reaching nothing."""

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}


def on_sandbox(sandbox: Sandbox) -> dict[str, str]:
    """The variables that point a command at the sandbox, at a chat that is not there."""
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
    """Holds that the command ends with this error and nothing on stdout: for people, and for scripts."""
    plain = nwchatctl(folder, *argv, environ=environ)
    scripted = nwchatctl(folder, *argv, "--json", environ=environ)
    assert (plain.code, plain.out) == (exit_code, "")
    said = [line for line in plain.err.splitlines() if not line.startswith("account ")]
    assert said == [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    assert (scripted.code, scripted.out) == (exit_code, "")
    assert json.loads(scripted.err) == {"error": {"code": code, "message": message, "hint": hint}}
