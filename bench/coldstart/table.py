"""Converts cold starts to Markdown tables of medians, and to the goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.coldstart.contenders import BOTO3_MESSAGE, NODE_MESSAGE, OUR_CONNECT, OUR_DISCONNECT, OUR_MESSAGE
from bench.posts.table import markdown_row

MAX_INIT_CPU_MS = 70.0
"""What the init phase may take on a machine where a plain boto3 handler takes 170."""

HEADER = ("handler", "init: CPU", "init: wall time", "first event: CPU", "first event: wall time")


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One cold start: milliseconds of the init phase, and of the first event."""

    init_cpu: float
    init_wall: float
    event_cpu: float
    event_wall: float


def table(starts: Mapping[str, Sequence[ColdStart]]) -> Iterator[str]:
    """A line for each handler."""
    yield markdown_row(HEADER)
    yield markdown_row(("---", *["---:"] * 4))
    for name, found in starts.items():
        yield markdown_row((name, *(f"{value:.0f} ms" for value in _medians(found))))


def goals(starts: Mapping[str, Sequence[ColdStart]]) -> Iterator[str]:
    """Whether the init phase of the functions that players wait for is short enough."""
    node = starts.get(NODE_MESSAGE)
    for name in (OUR_CONNECT, OUR_DISCONNECT, OUR_MESSAGE):
        cpu = _init_cpu(starts[name])
        met = _met(cpu <= MAX_INIT_CPU_MS)
        yield f"- {name}: {cpu:.0f} ms of CPU, aim at most {MAX_INIT_CPU_MS:.0f} ms: {met}"
        if node is not None:
            limit = _init_cpu(node)
            yield f"- {name}: {cpu / limit:.2f} of Node.js, aim less than 1: {_met(cpu < limit)}"
    ratio = _init_cpu(starts[OUR_MESSAGE]) / _init_cpu(starts[BOTO3_MESSAGE])
    yield f"- {OUR_MESSAGE}: {ratio:.2f} of boto3"


def _medians(found: Sequence[ColdStart]) -> tuple[float, ...]:
    return tuple(
        median(getattr(each, name) for each in found)
        for name in ("init_cpu", "init_wall", "event_cpu", "event_wall")
    )


def _init_cpu(found: Sequence[ColdStart]) -> float:
    return median(each.init_cpu for each in found)


def _met(met: bool) -> str:
    return "met" if met else "**not met**"
