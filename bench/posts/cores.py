"""Who works on which core: the contender on the first, the stub on the others, so that neither takes the
other's time. On a machine with one core, or where processes can't be held to one, they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CAN = hasattr(os, "sched_setaffinity")


def _all() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if _CAN else [0]


_FOUND = _all()


def contender() -> frozenset[int]:
    return frozenset(_FOUND[:1])


def stub() -> frozenset[int]:
    return frozenset(_FOUND[1:5] or _FOUND)


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started in here runs on these cores."""
    if not _CAN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
