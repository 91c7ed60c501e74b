"""Many small reads at once, some of which begin others, on a few threads that never wait in a ring."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, Protocol, TypeVar

from nwchatctl.aws.core.retry import with_retries

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS = 32
"""Threads that read: more than a chat has reads under way, fewer than a service's connections (POOL)."""


class StartRead(Protocol):
    """Begins a read and gives back what waits for its result, raising what it raised.

    Begin all that does not depend on each other, then take the results.
    """

    def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]: ...


def run_inline(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """A `Start` that does the call right here: for whoever has no threads to give."""
    value = call(*args, **kwargs)
    return lambda: value


class ParallelReads:
    """A `Start` with threads, and patience with what fails and may pass.

    Left by an exception (Ctrl-C is one), it drops what has not begun and does not wait.

    What no thread has taken up when its result is wanted is done by whoever wants it. So a read may begin
    others and wait for them, however deep and however few the threads are.
    """

    def __init__(self, threads: int = MAX_THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")

    def __enter__(self) -> ParallelReads:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        def read() -> T:
            return with_retries(call, *args, **kwargs)

        future: Future[T] = self._pool.submit(read)

        @cache
        def result() -> T:
            if not future.cancelled() and future.cancel():
                return read()
            return future.result()

        return result
