"""The error type shown to the operator, and the exit codes of the tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, a contract with scripts and cron (docs/exit codes: `nwchatctl help exit-codes`)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    NOT_FOUND = 4
    PARTLY = 5
    DIFFERS = 6
    DECLINED = 7
    INTERRUPTED = 130
    TERMINATED = 143


class ChatError(Exception):
    """A failure: what failed and why (`message`), and how to fix it (`hint`).

    `code` is a stable snake_case word for scripts; `exit_code` is the process's. Neither text may contain a
    secret.
    """

    def __init__(
        self, message: str, *, hint: str = "", code: str = "failed", exit_code: int = Exit.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.exit_code = int(exit_code)


def usage_error(message: str, hint: str) -> ChatError:
    """The error for a mistake in the command line."""
    return ChatError(message, hint=hint, code="usage", exit_code=Exit.USAGE)


@contextmanager
def error_note(done: Callable[[], str]) -> Iterator[None]:
    """Within, an error gets a note about what is `done` by then, unless that is ""."""
    try:
        yield
    except BaseException as error:
        if text := done():
            error.add_note(text)
        raise
