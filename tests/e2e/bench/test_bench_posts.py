"""`make bench` as one command: against the stub that needs nothing installed, with a few posts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

CASES = ["plain HTTP, 0 ms", "TLS, 0 ms", "plain HTTP, 20 ms", "TLS, 20 ms"]
OURS = ("cli", "function")
ONLY = [word for name in ("loop", "threads", *OURS) for word in ("--only", name)]


def test_one_command_measures_prints_and_leaves_nothing(tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bench.posts", "--quick", "--fallback", *ONLY, "--posts", "400", "--out", out],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert [each.removeprefix("### ") for each in shown.splitlines() if each.startswith("### ")] == CASES
    assert "Posts per CPU-second" in shown
    report = json.loads((out / "posts.json").read_text())
    runs = {(each["case"], each["contender"]): each["samples"] for each in report["runs"]}
    assert set(runs) == {(case, name) for case in CASES for name in ("loop", "threads", *OURS)}
    for (case, name), samples in runs.items():
        (sample,) = samples
        assert sample["delivered"] == sample["posts"]
        assert sample["cpu_seconds"] > 0
        # One post after the other takes the stub's delay each time: it does wait.
        if name == "loop" and "20 ms" in case:
            assert sample["seconds"] >= 0.02 * sample["posts"]
    assert (out / "posts.svg").read_text().startswith("<svg")
    assert list(temporary.iterdir()) == []


def rows_of(module: str, temporary: Path) -> list[list[str]]:
    """The cells of the table that a part of the bench prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--quick", "--fallback"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A heading, an empty line, the head and its rule come first.
    return [[cell.strip() for cell in each.split("|")[1:-1]] for each in done.stdout.splitlines()[4:]]


def test_message_is_delivered_by_both_variants(tmp_path: Path) -> None:
    assert [each[:2] for each in rows_of("bench.message", tmp_path)] == [
        ["20", "before"],
        ["20", "now"],
        ["100", "before"],
        ["100", "now"],
    ]
    assert list(tmp_path.iterdir()) == []


def test_slow_readers_are_closed_and_the_others_are_served(tmp_path: Path) -> None:
    assert [each[:3] for each in rows_of("bench.slow_readers", tmp_path)] == [
        [name, "200", share] for name in OURS for share in ("0%", "1%", "10%")
    ]
    assert list(tmp_path.iterdir()) == []


def test_prune_and_export_process_every_row(tmp_path: Path) -> None:
    assert [each[:2] for each in rows_of("bench.rows", tmp_path)] == [["prune", "200"], ["export", "200"]]
    assert list(tmp_path.iterdir()) == []
