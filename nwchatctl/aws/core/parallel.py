"""Runs many small reads concurrently; nested reads cannot deadlock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, Protocol, TypeVar

from nwchatctl.aws.core.retry import with_retries

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS = 32
"""The number of threads: more than a chat has concurrent reads, at most a client's connections (POOL)."""


class StartRead(Protocol):
    """Starts a read and returns a function that waits for its result, or raises its error.

    Start all independent reads first, then take their results.
    """

    def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]: ...


def run_inline(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """A `StartRead` that runs the call at once, without threads."""
    value = call(*args, **kwargs)
    return lambda: value


class ParallelReads:
    """A `StartRead` that uses threads and retries transient errors.

    If the `with` block ends by an exception (Ctrl-C is one), reads that have not started are dropped, and it
    does not wait.

    A read that no thread has started when its result is requested runs in the requesting thread. So a read
    may start others and wait for them, at any depth and with any number of threads.
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
