"""Sends one message to connections of which a part does not read, in a separate process.

    python -m bench.slow_readers.contender cli|function URL RECIPIENTS SLOW

prints a line of JSON: seconds until the others were served and until the run ended, CPU seconds of the run,
and how many were delivered and disconnected. First it sends to a few connections of which one is slow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

from bench.posts.contenders import cli, function
from bench.posts.contenders.common import PostTask, connection_ids, process_cpu_seconds
from bench.posts.contenders.recipients import RecipientPages
from bench.posts.gateway_stub import SLOW
from nwchat.delivery.outcome import Delivered, Outcome
from nwchat.delivery.poster import Poster
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.model.rows import Recipient

RATE = 2_000.0
"""Posts a second: the default rate of a segment."""
_FRAME = b'{"type":"message","message":"Restart at eight","uname":"operator"}'
_WARM_UP = 100

CONTENDERS: dict[str, Callable[[PostTask], Poster]] = {
    "cli": cli.make_poster,
    "function": function.make_poster,
}


def room(recipients: int, slow: int) -> list[str]:
    """Connection ids; `slow` of them, spread evenly, are those of clients that do not read."""
    ids = connection_ids(recipients)
    for number in range(slow):
        place = number * recipients // slow
        ids[place] = SLOW + ids[place][len(SLOW) :]
    return ids


def run(poster: Poster, ids: Sequence[str]) -> dict[str, float]:
    """Sends one message and returns the measurements."""
    served_at = 0.0

    def record(_: Recipient, outcome: Outcome) -> None:
        nonlocal served_at
        if isinstance(outcome, Delivered):
            served_at = time.perf_counter()

    started, cpu_before = time.perf_counter(), process_cpu_seconds()
    counts = poster.post_all(RecipientPages(ids), _FRAME, rate_limiter=RateLimiter(RATE), on_outcome=record)
    return {
        "served": served_at - started,
        "done": time.perf_counter() - started,
        "cpu_seconds": process_cpu_seconds() - cpu_before,
        "delivered": counts.delivered,
        "disconnected": counts.disconnected,
    }


def main() -> int:
    name, url, recipients, slow = sys.argv[1:]
    poster = CONTENDERS[name](PostTask(url, int(recipients), 1, _FRAME))
    run(poster, room(_WARM_UP, 1))
    sys.stdout.write(json.dumps(run(poster, room(int(recipients), int(slow)))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
