"""The tables of cold starts; and one run of all handlers in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.coldstart.__main__ import MIN_RUNS, main
from bench.coldstart.contenders import (
    BOTO3_MESSAGE,
    FROM_SOURCE,
    NODE_MESSAGE,
    OUR_CONNECT,
    OUR_DISCONNECT,
    OUR_MESSAGE,
    contenders,
)
from bench.coldstart.table import MAX_INIT_CPU_MS, ColdStart, goals, table


def starts(*init_cpu: float) -> list[ColdStart]:
    return [ColdStart(each, each + 1, each + 2, each + 3) for each in init_cpu]


def test_table_has_medians() -> None:
    lines = list(table({"a": starts(1, 900, 50), "b": starts(7)}))
    assert lines[2:] == ["| a | 50 ms | 51 ms | 52 ms | 53 ms |", "| b | 7 ms | 8 ms | 9 ms | 10 ms |"]


def test_goals_are_an_absolute_and_a_relative_one() -> None:
    measured = {
        OUR_CONNECT: starts(MAX_INIT_CPU_MS),
        OUR_DISCONNECT: starts(MAX_INIT_CPU_MS + 1),
        OUR_MESSAGE: starts(60),
        BOTO3_MESSAGE: starts(240),
        NODE_MESSAGE: starts(70),
    }
    assert list(goals(measured)) == [
        "- `connect`: 70 ms of CPU, aim at most 70 ms: met",
        "- `connect`: 1.00 of Node.js, aim less than 1: **not met**",
        "- `disconnect`: 71 ms of CPU, aim at most 70 ms: **not met**",
        "- `disconnect`: 1.01 of Node.js, aim less than 1: **not met**",
        "- `message`: 60 ms of CPU, aim at most 70 ms: met",
        "- `message`: 0.86 of Node.js, aim less than 1: met",
        "- `message`: 0.25 of boto3",
    ]
    del measured[NODE_MESSAGE]
    assert len(list(goals(measured))) == 4


def test_too_few_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--runs", "1"])
    assert f"--runs is {MIN_RUNS} at least" in capsys.readouterr().err


def test_functions_have_bytecode_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
    with contenders(None, tmp_path) as found:
        folders = {each.name: Path(each.environ["PYTHONPATH"]) for each in found}
    assert list(folders[OUR_MESSAGE].glob("nwchat/__pycache__/message.*.pyc"))
    assert list(folders[FROM_SOURCE].rglob("*.pyc")) == []


def test_one_run_measures_every_handler(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    cells = {line[0].removeprefix("| "): [float(each.split()[0]) for each in line[1:]] for line in lines[2:]}
    assert {OUR_CONNECT, OUR_DISCONNECT, OUR_MESSAGE, "`history`", BOTO3_MESSAGE} <= set(cells)
    # Everything but a first event, which may take less than half a millisecond, takes time.
    assert all(cpu > 0 and wall > 0 for cpu, wall, _, _ in cells.values())
    assert cells[OUR_MESSAGE][0] < cells[BOTO3_MESSAGE][0]
