"""The environment of a function's process."""

from __future__ import annotations

from pathlib import Path

from nwchatctl.sandbox.patches.function_processes import function_environment


def test_function_gets_its_own_variables_and_those_of_any_process() -> None:
    server = {
        "PATH": "/bin",
        "HOME": "/home/operator",
        "USER": "operator",
        "TZ": "UTC",
        "STATE_DIR": "/home/operator/state",
        "TMPDIR": "/home/operator/tmp",
        "GITHUB_TOKEN": "s3cret",
    }
    wanted = {**server, "AWS_REGION": "us-east-2", "TABLE": "nwchat-x", "STATE_DIR": "mine"}
    assert function_environment(wanted, server, Path("/f")) == {
        "PATH": "/bin",
        "TZ": "UTC",
        "AWS_REGION": "us-east-2",
        "TABLE": "nwchat-x",
        "STATE_DIR": "mine",
        "HOME": "/f/home",
        "TMPDIR": "/f/tmp",
    }
