"""What goes wrong before anything is done: the error, the hint and the exit code of a real process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.support.error_cases import on_sandbox, refused
from tests.e2e.support.sandbox import Sandbox
from tests.unit.subprocesses import nwchatctl

OPERATIONS = (
    ("status",),
    ("smoke",),
    ("broadcast", "hi"),
    ("connections", "list"),
    ("history", "tail"),
    ("invoke", "message"),
)
"""What needs a chat that is there."""


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (("deploy", "--yse"), "`nwchatctl deploy` has no option --yse", "did you mean --yes?"),
        (("delpoy",), "there is no command `nwchatctl delpoy`", "did you mean `nwchatctl deploy`?"),
        (
            ("history", "tial"),
            "there is no command `nwchatctl history tial`",
            "did you mean `nwchatctl history tail`?",
        ),
        (
            ("invoke", "massage"),
            "invalid value for 'FUNCTION': no function 'massage'; there are connect, disconnect, message, "
            "fanout, history, authorize",
            "nwchatctl invoke --help",
        ),
    ],
)
def test_unknown_arguments(tmp_path: Path, argv: tuple[str, ...], message: str, hint: str) -> None:
    refused(tmp_path, argv, {}, exit_code=2, code="usage", message=message, hint=hint)


def test_an_unknown_kind(tmp_path: Path, sandbox: Sandbox) -> None:
    ran = nwchatctl(tmp_path, "deploy", "--only", "lambda", "--json", environ=on_sandbox(sandbox))
    assert (ran.code, ran.out) == (2, "")
    error = json.loads(ran.err)["error"]
    assert error["code"] == "usage"
    assert "no such kind: lambda; there are table, log-group, queue, token-keys, api," in error["message"]


@pytest.mark.parametrize("argv", [*OPERATIONS, ("plan",), ("deploy", "--yes"), ("destroy", "--yes")])
def test_no_configuration(tmp_path: Path, argv: tuple[str, ...]) -> None:
    ran = nwchatctl(tmp_path, *argv)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: there is no nwchat.toml in {tmp_path} or above it\n"
        "hint: run `nwchatctl init`, or give --config FILE\n"
    )


def test_a_bad_configuration(tmp_path: Path) -> None:
    (tmp_path / "nwchat.toml").write_text("[stage]\nthrotle_rate = 5.0\n")
    refused(
        tmp_path,
        ("plan",),
        {},
        exit_code=3,
        code="config_unknown_key",
        message=f"{tmp_path}/nwchat.toml:2: unknown key stage.throtle_rate, did you mean throttle_rate?",
        hint="nwchatctl help config lists every setting and its meaning",
    )


def test_no_sandbox(tmp_path: Path) -> None:
    refused(
        tmp_path,
        ("--sandbox", "plan"),
        {"NWCHAT_SANDBOX_DIR": str(tmp_path / "none")},
        exit_code=3,
        code="sandbox_not_running",
        message="the sandbox is not running",
        hint="nwchatctl sandbox up",
    )


@pytest.mark.parametrize("argv", OPERATIONS, ids=" ".join)
def test_not_deployed(tmp_path: Path, sandbox: Sandbox, argv: tuple[str, ...]) -> None:
    refused(
        tmp_path,
        ("--sandbox", *argv),
        on_sandbox(sandbox),
        exit_code=4,
        code="not_deployed",
        message="chat absent is not deployed in account 000000000000, us-east-2",
        # For the same chat: --sandbox is part of it.
        hint="nwchatctl --sandbox deploy",
    )
