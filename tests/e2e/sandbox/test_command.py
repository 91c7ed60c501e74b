"""`nwchatctl sandbox …` as a process: streams, exit codes, JSON."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

from nwchatctl.sandbox import process
from nwchatctl.sandbox.limits import RuleValues
from tests.e2e.support.sandbox import Sandbox


def nwchatctl(sandbox: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nwchatctl", *words],
        env=sandbox.environ | {"NWCHAT_SANDBOX": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def as_json(sandbox: Sandbox, *words: str) -> dict[str, Any]:
    done = nwchatctl(sandbox, "sandbox", *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def expected(
    sandbox: Sandbox, *, pid: int | None, did: str | None, limits: RuleValues = RuleValues()
) -> dict[str, Any]:
    data = {
        "running": pid is not None,
        "endpoint": sandbox.endpoint,
        "pid": pid,
        "state_dir": str(sandbox.state.root),
        "credentials": str(sandbox.state.credentials),
        "log": str(sandbox.state.log),
        "pace": limits.pace,
        "limits": limits.as_data(),
    }
    return data | ({"did": did} if did else {})


def test_lifecycle_in_json(separate_sandbox: Sandbox) -> None:
    started = as_json(separate_sandbox, "up", "--port", str(separate_sandbox.port))
    pid = started["pid"]
    assert started == expected(separate_sandbox, pid=pid, did="started")
    assert as_json(separate_sandbox, "up") == expected(separate_sandbox, pid=pid, did="already_running")
    assert as_json(separate_sandbox, "status") == expected(separate_sandbox, pid=pid, did=None)
    assert as_json(separate_sandbox, "reset", "--dry-run") == expected(
        separate_sandbox, pid=pid, did="nothing"
    )
    again = as_json(separate_sandbox, "reset", "--yes")
    assert again == expected(separate_sandbox, pid=again["pid"], did="reset")
    assert again["pid"] not in (pid, None)
    assert as_json(separate_sandbox, "down") == expected(separate_sandbox, pid=None, did="stopped")
    assert as_json(separate_sandbox, "down") == expected(separate_sandbox, pid=None, did="not_running")
    # The port is remembered.
    assert as_json(separate_sandbox, "status") == expected(separate_sandbox, pid=None, did=None)


def test_pace_and_limits_hold_until_it_is_stopped(separate_sandbox: Sandbox) -> None:
    chosen = ("--pace", "0.1", "--limit", "idle_timeout=3s", "--limit", "ttl_change=off")
    limits = RuleValues(0.1, {"idle_timeout": 3, "ttl_change": None})
    started = as_json(separate_sandbox, "up", "--port", str(separate_sandbox.port), *chosen)
    pid = started["pid"]
    assert started == expected(separate_sandbox, pid=pid, did="started", limits=limits)
    for again in ((), chosen):
        assert as_json(separate_sandbox, "up", *again) == expected(
            separate_sandbox, pid=pid, did="already_running", limits=limits
        )
    refused = nwchatctl(separate_sandbox, "sandbox", "up", "--pace", "aws", "--json")
    assert (refused.returncode, json.loads(refused.stderr)["error"]["code"]) == (1, "limits_differ")
    assert as_json(separate_sandbox, "reset", "--yes")["limits"] == limits.as_data()
    shown = nwchatctl(separate_sandbox, "sandbox", "status").stdout.splitlines()
    assert shown[-3:] == ["pace  0.1 of AWS's own times", "limit idle_timeout=3", "limit ttl_change=off"]
    assert as_json(separate_sandbox, "down") == expected(separate_sandbox, pid=None, did="stopped")


def test_wrong_limit_is_a_mistake_in_the_command_line(separate_sandbox: Sandbox) -> None:
    for words in (("--limit", "idle=3s"), ("--pace", "fast")):
        assert nwchatctl(separate_sandbox, "sandbox", "up", *words).returncode == 2
    assert not separate_sandbox.state.root.exists()


def test_sandbox_that_never_started_is_not_running(separate_sandbox: Sandbox) -> None:
    for command in ("status", "down"):
        done = nwchatctl(separate_sandbox, "sandbox", command)
        assert done.returncode == 0
        assert "not running" in done.stdout
    assert not separate_sandbox.state.root.exists()


def test_reset_requires_confirmation(separate_sandbox: Sandbox) -> None:
    done = nwchatctl(separate_sandbox, "sandbox", "reset")
    assert done.returncode == 7
    assert "hint: give --yes" in done.stderr


def test_port_in_use_is_an_error(separate_sandbox: Sandbox) -> None:
    port = separate_sandbox.port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = nwchatctl(separate_sandbox, "sandbox", "up", "--port", str(port), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr) == {
        "error": {
            "code": "port_taken",
            "message": f"port {port} is taken by another process",
            "hint": f"nwchatctl sandbox up --port {port + 1}",
        }
    }
    assert process.status(separate_sandbox.state).running is False


def test_every_command_shows_examples(separate_sandbox: Sandbox) -> None:
    for words in ((), ("up",), ("down",), ("status",), ("reset",)):
        done = nwchatctl(separate_sandbox, "sandbox", *words, "--help")
        assert done.returncode == 0
        assert "Examples:" in done.stdout
        assert "nwchatctl sandbox " in done.stdout
