"""Converts runs to a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.deploy.call_chain import ChainLength
from bench.deploy.delay_proxy import AwsCall
from bench.posts.table import markdown_row

HEADER = (
    "case",
    "wall time",
    "of it start-up",
    "of it AWS",
    "processor",
    "calls",
    "critical path",
    "in seconds",
    "AWS / critical path",
    "at AWS's pace",
    "waits and quotas alone",
)


@dataclass(frozen=True)
class DeployRun:
    """One run of the tool: start (`time.monotonic`), duration and CPU time, all in s, and its calls."""

    began: float
    wall: float
    processor: float
    calls: tuple[AwsCall, ...]

    @property
    def start_up(self) -> float:
        """Seconds until the first call: the interpreter, imports, settings, clients."""
        return min(each.began for each in self.calls) - self.began

    @property
    def in_aws(self) -> float:
        """Seconds from the start of the first call to the end of the last one."""
        return max(each.ended for each in self.calls) - min(each.began for each in self.calls)


@dataclass(frozen=True, slots=True)
class PacedDeploy:
    """The duration (s) of a case at AWS's pace, and what waits and quotas alone impose."""

    seconds: float
    bound: float


@dataclass(frozen=True)
class CaseRow:
    """The runs of a case, its longest chain of calls, and its run at AWS's pace, if there was one."""

    case: str
    runs: Sequence[DeployRun]
    chain: ChainLength
    paced: PacedDeploy | None = None


def table(rows: Iterable[CaseRow]) -> Iterator[str]:
    """One line per case: medians of its runs, its longest chain of calls, and its run at AWS's pace."""
    yield markdown_row(HEADER)
    yield markdown_row(["---", *["---:"] * (len(HEADER) - 1)])
    for row in rows:
        runs, length = row.runs, row.chain
        latency = median(each.ended - each.began for run in runs for each in run.calls)
        in_aws = median(each.in_aws for each in runs)
        critical = length.seconds(latency)
        pending = f" + {length.pending_seconds:.2f} s" if length.pending_seconds else ""
        yield markdown_row(
            [
                row.case,
                f"{median(each.wall for each in runs):.2f} s",
                f"{median(each.start_up for each in runs):.2f} s",
                f"{in_aws:.2f} s",
                f"{median(each.processor for each in runs):.2f} s",
                f"{median(len(each.calls) for each in runs):g}",
                f"{length.calls} calls{pending}",
                f"{critical:.2f} s",
                f"{in_aws / critical:.2f}",
                f"{row.paced.seconds:.1f} s" if row.paced else "-",
                f"{row.paced.bound:.1f} s" if row.paced else "-",
            ]
        )
