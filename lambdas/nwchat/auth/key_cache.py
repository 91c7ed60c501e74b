"""Cache of the signing keys of tokens: refreshed regularly, and kept during an outage. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nwchat.auth.token_keys import TokenKey

FRESH_SECONDS = 1.0
"""How long the keys are used without being fetched again. `token rotate` waits a little longer than this
before it reports success."""

RETRY_DELAY_SECONDS = (5.0, 15.0)
"""Range of the random delay before the next fetch when one fails while keys are cached. Parameter Store
serves 40 requests a second per account and Region (standard throughput); when many clients reconnect at once,
they are for functions without keys."""

MAX_WAIT_SECONDS = 3.0
"""How long fetching is retried when no keys are cached. One attempt can take 6 s more; a handshake may take
29 s."""

RETRY_PAUSE_SECONDS = (0.1, 0.6)
"""Range of the random pause between these retries."""

STALE_SECONDS = 300.0
"""How long the last keys are used while Parameter Store does not respond."""


class NoKeys(Exception):
    """The parameter does not exist or holds no keys; unlike an outage, this is a definite result."""


class KeyCache:
    """Caches the keys that `fetch` returns.

    `fetch` raises NoKeys, or any other error for an outage. `clock` returns seconds, `uniform` a random
    number between two, `sleep` takes seconds.
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
        """The keys, newest first; none when they are not available, and then no token is accepted."""
        began = self._clock()
        if began >= self._refresh_at:
            while not self._refresh() and not self._current() and self._clock() - began < MAX_WAIT_SECONDS:
                self._sleep(self._uniform(*RETRY_PAUSE_SECONDS))
        return self._current()

    def _current(self) -> tuple[TokenKey, ...]:
        return self._keys if self._clock() - self._read_at < STALE_SECONDS else ()

    def _refresh(self) -> bool:
        """Fetch the keys. Returns False for an outage."""
        # Taken before the request: the response may be older than its arrival.
        asked_at = self._clock()
        try:
            self._keys, self._read_at = self._fetch(), asked_at
        except NoKeys:
            self._keys = ()
            self._logger.error("there are no token keys")
        except Exception as error:
            # No stack trace and no text: errors of reading a secret are logged by type only.
            kind = type(error).__name__
            self._logger.warning("the token keys could not be read", extra={"error": kind})
            self._refresh_at = self._clock() + (self._uniform(*RETRY_DELAY_SECONDS) if self._current() else 0)
            return False
        self._refresh_at = asked_at + FRESH_SECONDS
        return True
