"""The programs that the start of the tool is measured against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.startup import baselines


def test_the_aws_cli_runs_in_a_folder_with_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.symlink_to(sys.executable)
    program = folder / "bin" / "aws"
    program.write_text(f"#!{python}\nprint('aws-cli/1')\n", encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(baselines.aws(folder), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "aws-cli/1\n"
