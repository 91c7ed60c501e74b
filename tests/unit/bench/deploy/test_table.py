"""The table: medians of the runs, and the ratio of the time in AWS to the critical path."""

from __future__ import annotations

from bench.deploy.call_chain import ChainLength
from bench.deploy.delay_proxy import AwsCall
from bench.deploy.table import CaseRow, DeployRun, PacedDeploy, table


def run(wall: float, *spans: tuple[float, float]) -> DeployRun:
    return DeployRun(
        100.0, wall, 0.5, tuple(AwsCall("s", "o", 100 + began, 100 + ended) for began, ended in spans)
    )


def test_medians_and_the_ratio() -> None:
    runs = [
        run(1.0, (0.4, 0.5), (0.5, 0.6)),
        run(1.2, (0.4, 0.5), (0.6, 0.7)),
        run(9.0, (0.4, 0.5), (0.6, 0.7), (5.0, 5.1)),
    ]
    lines = list(table([CaseRow("one change", runs, ChainLength(2))]))
    assert [each.count("|") for each in lines] == [12, 12, 12]
    assert lines[2] == (
        "| one change | 1.20 s | 0.40 s | 0.30 s | 0.50 s | 2 | 2 calls | 0.20 s | 1.50 | - | - |"
    )


def test_what_aws_takes_itself_is_in_the_critical_path_and_is_no_call() -> None:
    runs = [run(2.0, (0.5, 0.6), (0.9, 1.0), (1.0, 1.1))]
    (*_, line) = table([CaseRow("first deploy", runs, ChainLength(2, 0.3), PacedDeploy(140.21, 130.0))])
    assert line.endswith("| 3 | 2 calls + 0.30 s | 0.50 s | 1.20 | 140.2 s | 130.0 s |")
