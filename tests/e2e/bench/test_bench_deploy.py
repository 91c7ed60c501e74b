"""The bench runs as one command, prints its table and nothing else, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def test_one_command_prints_one_table_and_cleans_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.deploy", "--runs", "1", "--pace", "0"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    head, rule, *rows = [
        [cell.strip() for cell in each.split("|")[1:-1]] for each in done.stdout.splitlines()
    ]
    assert head[0] == "case"
    assert set(rule) == {"---", "---:"}
    assert [each[0] for each in rows] == ["first deploy", "nothing to do", "one change"]
    chains = [int(each[6].split(" calls")[0]) for each in rows]
    assert chains[1] < chains[2] < chains[0]
    # tests/e2e/pace runs at AWS's pace.
    assert [each[9:] for each in rows] == [["-", "-"]] * 3
    # Each call took its 50 ms: what was measured went through the proxy.
    seconds = [float(each[7].removesuffix(" s")) for each in rows]
    assert all(took >= 0.05 * calls - 0.005 for took, calls in zip(seconds, chains, strict=True))
    assert list(tmp_path.iterdir()) == []
