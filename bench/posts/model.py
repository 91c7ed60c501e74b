"""What is measured: cases, contenders, samples. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """How posts go: over TLS or not, and how many ms the stub waits before it answers."""

    tls: bool
    latency_ms: int

    def __str__(self) -> str:
        return f"{'TLS' if self.tls else 'plain HTTP'}, {self.latency_ms} ms"


CASES = (Case(False, 0), Case(True, 0), Case(False, 20), Case(True, 20))


@dataclass(frozen=True, slots=True)
class LoadSize:
    """How much a contender does in one run: this part of the posts asked for, so many of them at once."""

    share: float
    at_once: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that posts; `without` and `with_` say how much it does without and with latency.

    Slow ones do fewer posts, so that each run takes about as long.
    """

    name: str
    label: str
    without: LoadSize
    with_: LoadSize

    def size(self, case: Case) -> LoadSize:
        return self.with_ if case.latency_ms else self.without


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `cpu_seconds` are user and system time of the contender's process in the `seconds` of its
    posts; `peak_kb` is the most memory that it held since its start."""

    posts: int
    seconds: float
    cpu_seconds: float
    peak_kb: int
    delivered: int

    @classmethod
    def of(cls, said: Mapping[str, float]) -> Sample:
        """Of a contender's line of JSON. KeyError when something is missing."""
        return cls(
            posts=int(said["posts"]),
            seconds=float(said["seconds"]),
            cpu_seconds=float(said["cpu_seconds"]),
            peak_kb=int(said["peak_kb"]),
            delivered=int(said["delivered"]),
        )

    @property
    def rate(self) -> float:
        """Posts a second."""
        return self.posts / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Posts for each second of processor."""
        return self.posts / self.cpu_seconds


@dataclass
class Results:
    """What was measured, in the order of rounds; `ceilings` is posts/s that wrk got out of the stub.

    `load` is how many processes wanted the machine when it began: above a few tenths, wall times (posts/s)
    say more of the others than of the contenders.
    """

    stub: str
    load: float = 0.0
    samples: dict[tuple[Case, str], list[Sample]] = field(default_factory=dict)
    ceilings: dict[Case, list[float]] = field(default_factory=dict)

    def add(self, case: Case, name: str, sample: Sample) -> None:
        self.samples.setdefault((case, name), []).append(sample)
