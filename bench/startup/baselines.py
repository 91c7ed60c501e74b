"""What the tool is compared with: small programs as users would write them, and the AWS CLI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TYPER = "import typer"

ONE_COMMAND = '''\
import typer

app = typer.Typer({options})


@app.command()
def main(name: str = "world") -> None:
    """Say hello."""
    print(f"Hello, {{name}}!")


if __name__ == "__main__":
    app()
'''
"""The first app of Typer's documentation."""

SCAN = """\
import json

import boto3

client = boto3.client("dynamodb")
print(json.dumps(client.scan(TableName="bench-connections")["Items"]))
"""

AWSCLI = "awscli>=1.40,<2"
"""The AWS CLI that pip installs. Version 2 has its own interpreter."""


def script(folder: Path, name: str, text: str) -> list[str]:
    """The command that runs `text`, as a file in `folder`."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return [sys.executable, str(file)]


def aws(folder: Path) -> list[str]:
    """The command that runs the `aws` of a virtual environment at `folder`, created if it is missing.

    Raises CalledProcessError where pip cannot install it.
    """
    program, python = folder / "bin" / "aws", str(folder / "bin" / "python")
    if not program.exists():
        sys.stderr.write(f"installing {AWSCLI} into {folder}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, AWSCLI], check=True)
    # The first line of the script names the interpreter, which fails in a folder with a space in its name.
    return [python, str(program)]
