"""CPU cores: the contender runs on the first, the stub on the others, so that they do not compete.

On a machine with one core, or without CPU affinity, they share the cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CAN_PIN = hasattr(os, "sched_setaffinity")


_CORES = sorted(os.sched_getaffinity(0)) if _CAN_PIN else [0]

CONTENDER_CORES = frozenset(_CORES[:1])
STUB_CORES = frozenset(_CORES[1:5] or _CORES)


@contextmanager
def pin_to(cores: frozenset[int]) -> Iterator[None]:
    """Processes started in this context run on these cores."""
    if not _CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
