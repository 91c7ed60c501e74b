"""Cases, contenders and samples. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """The conditions of a run: TLS or not, and the delay of the stub in ms."""

    tls: bool
    latency_ms: int

    def __str__(self) -> str:
        return f"{'TLS' if self.tls else 'plain HTTP'}, {self.latency_ms} ms"


CASES = (Case(False, 0), Case(True, 0), Case(False, 20), Case(True, 20))


@dataclass(frozen=True, slots=True)
class LoadSize:
    """The load of one run: the share of the requested posts, and how many are in flight at once."""

    share: float
    at_once: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that posts, with its load without and with latency.

    Slow contenders send fewer posts, so that each run takes about as long.
    """

    name: str
    label: str
    direct_size: LoadSize
    latency_size: LoadSize

    def size(self, case: Case) -> LoadSize:
        return self.latency_size if case.latency_ms else self.direct_size


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `cpu_seconds` is the user and system time of the contender's process in the `seconds` of its
    posts. `peak_kb` is its peak memory since its start."""

    posts: int
    seconds: float
    cpu_seconds: float
    peak_kb: int
    delivered: int

    @classmethod
    def of(cls, fields: Mapping[str, float]) -> Sample:
        """Reads a contender's line of JSON. Raises KeyError when a field is missing."""
        return cls(
            posts=int(fields["posts"]),
            seconds=float(fields["seconds"]),
            cpu_seconds=float(fields["cpu_seconds"]),
            peak_kb=int(fields["peak_kb"]),
            delivered=int(fields["delivered"]),
        )

    @property
    def rate(self) -> float:
        """Posts per second."""
        return self.posts / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Posts per second of CPU time."""
        return self.posts / self.cpu_seconds


@dataclass
class Results:
    """All samples in the order of rounds. `ceilings` is posts/s of the stub, measured by wrk.

    `load` is the load average at the start. Above a few tenths, wall times (posts/s) depend more on other
    processes than on the contenders.
    """

    stub: str
    load: float = 0.0
    samples: dict[tuple[Case, str], list[Sample]] = field(default_factory=dict)
    ceilings: dict[Case, list[float]] = field(default_factory=dict)

    def add(self, case: Case, name: str, sample: Sample) -> None:
        self.samples.setdefault((case, name), []).append(sample)
