"""What a start imports. `make bench-startup` measures how long it takes; here is what keeps it short."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.startup.baselines import SCAN
from bench.startup.dynamodb_stub import CONNECTIONS, run_dynamodb_stub
from nwchatctl.cli import COMMANDS
from nwchatctl.command_tree import CommandEntry
from tests.unit.subprocesses import environment

INFORMATIONAL = """
import sys
try:
    {code}
finally:
    sys.stderr.write("imported: " + " ".join(sys.modules))
"""

TOOL = "from nwchatctl.cli import run; sys.exit(run(sys.argv[1:]))"

OWN = {
    "nwchatctl",
    "nwchatctl.cli",
    "nwchatctl.commands",
    "nwchatctl.commands.options",
    "nwchatctl.context",
    "nwchatctl.errors",
    "nwchatctl.output",
    "nwchatctl.output.streams",
    "nwchatctl.signals",
    "nwchatctl.command_tree",
    "nwchatctl.usage_errors",
}
"""Our modules that every command needs. Each costs a millisecond of the ten that are left above typer's."""

THEIRS = {"__future__", "textwrap", "typer._click._textwrap", "typer._click.decorators"}
"""What is imported beyond typer to run any command and to print its help."""


def imported(
    folder: Path, code: str, *args: str, environ: Mapping[str, str] | None = None
) -> tuple[set[str], str]:
    """The modules that `code` imported, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", INFORMATIONAL.format(code=code), *args],
        cwd=folder,
        env=environment(folder, environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said, _, modules = done.stderr.partition("imported: ")
    assert (done.returncode, said) == (0, "")
    return set(modules.split()), done.stdout


@pytest.mark.parametrize(
    ("args", "printed"),
    [
        (["--version"], "nwchatctl "),
        (["--help"], "Usage: nwchatctl "),
        (["-q", "--timeout", "5s", "--version"], "nwchatctl "),
    ],
)
def test_informational_commands_import_little_beyond_typer(
    tmp_path: Path, args: list[str], printed: str
) -> None:
    typer, _ = imported(tmp_path, "import typer")
    ours, out = imported(tmp_path, TOOL, *args)
    assert out.startswith(printed)
    assert ours - typer - THEIRS - OWN == set()


def test_a_shell_that_completes_imports_no_command(tmp_path: Path) -> None:
    environ = {"_NWCHATCTL_COMPLETE": "complete_bash", "COMP_WORDS": "nwchatctl ", "COMP_CWORD": "1"}
    modules, printed = imported(tmp_path, TOOL, environ=environ)
    assert printed.split() == [each.name for each in COMMANDS if isinstance(each, CommandEntry)]
    # Among them pydantic, with which typer reads the default of a global option.
    assert {each for each in modules if each.startswith("nwchatctl")} - OWN == set()
    assert {"boto3", "rich", "pydantic_settings"} & modules == set()


def test_a_list_of_connections_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    with run_dynamodb_stub() as endpoint:
        environ = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NWCHAT_CHAT__NAME": "dojo",
        }
        args = ("connections", "list", "--json")
        modules, printed = imported(tmp_path, TOOL, *args, environ=environ)
        _, scanned = imported(tmp_path, f"exec({SCAN!r})", environ=environ)
    assert len(json.loads(scanned)) == json.loads(printed)["count"] == len(CONNECTIONS)
    assert {"boto3", "pydantic_settings", "nwchatctl.commands.connections"} <= modules
    assert {each.split(".")[0] for each in modules} & {"rich", "websockets", "ministack", "moto"} == set()
    needless = {"adapters", "cloud", "awslambda.package", "awslambda.functions", "apigateway", "iam", "logs"}
    assert {f"nwchatctl.aws.{each}" for each in needless} & modules == set()
    assert {each for each in modules if each.startswith("nwchatctl.deploy.")} <= {"nwchatctl.deploy.names"}
    others = {each.name for each in COMMANDS if isinstance(each, CommandEntry)} - {"connections"}
    assert {f"nwchatctl.commands.{each}" for each in others} & modules == set()
