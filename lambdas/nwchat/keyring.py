"""The keys of tokens as a function has them: asked for anew, and kept through an outage. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nwchat.token_keys import Key

FRESH_SECONDS = 1.0
"""For so long they are not asked for again. `token rotate` waits a little longer before it says that it is
done. Parameter Store answers 40 times a second in all of an account and Region (its standard throughput)."""

STALE_SECONDS = 300.0
"""For so long what was read last goes on being used, while Parameter Store does not answer."""


class NoKeys(Exception):
    """There are none, or nothing that reads as keys: an answer, unlike an outage."""


class Keyring:
    """The keys of `fetch`, which raises NoKeys, or whatever else where there was no answer.

    How often it is called depends on `clock` (seconds) alone, and on nothing that a client sends.
    """

    def __init__(
        self, fetch: Callable[[], tuple[Key, ...]], clock: Callable[[], float], logger: logging.Logger
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._logger = logger
        self._keys: tuple[Key, ...] = ()
        self._read_at = -STALE_SECONDS
        self._asked_at = -STALE_SECONDS

    def __call__(self) -> tuple[Key, ...]:
        """The keys, the newest first; none where they cannot be had: then nobody comes in."""
        now = self._clock()
        if now - self._asked_at >= FRESH_SECONDS:
            self._ask()
        return self._keys if self._clock() - self._read_at < STALE_SECONDS else ()

    def _ask(self) -> None:
        # Before it is asked: an answer may be older than its arrival, and so is what we know then.
        at = self._clock()
        try:
            self._keys, self._read_at = self._fetch(), at
        except NoKeys:
            self._keys = ()
            self._logger.error("there are no token keys")
        except Exception as error:
            # No stack trace: the error of reading a secret is told by its kind alone.
            kind = type(error).__name__
            self._logger.warning("the token keys could not be read", extra={"error": kind})
            at = self._clock()
        self._asked_at = at
