"""The keys of tokens as a function has them: asked for anew, and kept through an outage. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nwchat.auth.token_keys import TokenKey

FRESH_SECONDS = 1.0
"""For so long they are not asked for again. `token rotate` waits a little longer before it says that it is
done."""

RETRY_DELAY_SECONDS = (5.0, 15.0)
"""For so long, drawn anew, whoever has some does not ask again after no answer. Parameter Store answers 40
times a second in all of an account and Region (its standard throughput): when everybody comes back at once,
those calls are for functions that have none yet."""

MAX_WAIT_SECONDS = 3.0
"""For so long whoever has none goes on asking. One try can take 6 s more; a handshake has 29."""

RETRY_PAUSE_SECONDS = (0.1, 0.6)
"""Between two of those tries, drawn."""

STALE_SECONDS = 300.0
"""For so long what was read last goes on being used, while Parameter Store does not answer."""


class NoKeys(Exception):
    """There are none, or nothing that reads as keys: an answer, unlike an outage."""


class KeyCache:
    """The keys of `fetch`, which raises NoKeys, or whatever else where there was no answer.

    Once there are keys, how often it is called depends on `clock` (seconds) and `draw` (a number between two)
    alone. `sleep` waits for so many seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], tuple[TokenKey, ...]],
        clock: Callable[[], float],
        logger: logging.Logger,
        uniform: Callable[[float, float], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._logger = logger
        self._uniform = uniform
        self._sleep = sleep
        self._keys: tuple[TokenKey, ...] = ()
        self._read_at = -STALE_SECONDS
        self._refresh_at = -STALE_SECONDS

    def __call__(self) -> tuple[TokenKey, ...]:
        """The keys, the newest first; none where they cannot be had: then nobody comes in."""
        began = self._clock()
        if began >= self._refresh_at:
            while not self._refresh() and not self._current() and self._clock() - began < MAX_WAIT_SECONDS:
                self._sleep(self._uniform(*RETRY_PAUSE_SECONDS))
        return self._current()

    def _current(self) -> tuple[TokenKey, ...]:
        return self._keys if self._clock() - self._read_at < STALE_SECONDS else ()

    def _refresh(self) -> bool:
        """Whether there was an answer."""
        # Before it is asked: an answer may be older than its arrival, and so is what we know then.
        asked_at = self._clock()
        try:
            self._keys, self._read_at = self._fetch(), asked_at
        except NoKeys:
            self._keys = ()
            self._logger.error("there are no token keys")
        except Exception as error:
            # No stack trace: the error of reading a secret is told by its kind alone.
            kind = type(error).__name__
            self._logger.warning("the token keys could not be read", extra={"error": kind})
            self._refresh_at = self._clock() + (self._uniform(*RETRY_DELAY_SECONDS) if self._current() else 0)
            return False
        self._refresh_at = asked_at + FRESH_SECONDS
        return True
