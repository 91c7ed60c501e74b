"""Runs `connections prune` or `history export` in a separate process.

    python -m bench.rows.contender prune|export URL ROWS

does it once with 100 rows, then with ROWS, and prints a line of JSON about that. DynamoDB is where
AWS_ENDPOINT_URL says, @connections at URL. What the commands do besides (arguments, finding the API,
the bar) is left out: start-up times are `make bench-startup`'s.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import BinaryIO

from bench.posts.contenders.common import connection_ids, process_cpu_seconds, report
from bench.posts.gateway_stub import is_gone
from nwchat.delivery.rate_limit import RateLimiter
from nwchat.delivery.targets import ConnectionRequests
from nwchatctl.chat import connection_prune, history_export
from nwchatctl.chat.history_filter import Span
from nwchatctl.context import App
from nwchatctl.operations.connections import query_connections

_WARM_UP = 100


def main() -> int:
    workload_name, url, rows = sys.argv[1:]
    workload: Callable[[int, str], int] = prune if workload_name == "prune" else export
    workload(_WARM_UP, url)
    started, cpu_before = time.perf_counter(), process_cpu_seconds()
    rows_processed = workload(int(rows), url)
    seconds, cpu_seconds = time.perf_counter() - started, process_cpu_seconds() - cpu_before
    report(posts=int(rows), seconds=seconds, cpu_seconds=cpu_seconds, delivered=rows_processed)
    return 0


def prune(rows: int, url: str) -> int:
    """Asks about all connections at the command's rate and deletes the rows of closed ones."""
    app = _app(rows)
    requests = ConnectionRequests("GET", url, os.environ["AWS_REGION"], app.credentials)
    recipients = query_connections(app, None, expired=True)
    try:
        result = connection_prune.prune(
            app.transport, requests, app.rows, recipients, rate_limiter=RateLimiter(app.sending_rate)
        )
    finally:
        recipients.close()
    expected = sum(map(is_gone, connection_ids(rows)))
    if (result.checked, result.deleted, result.alive) != (rows, expected, rows - expected):
        raise SystemExit(f"{expected} of {rows} are gone, and not so: {result}")
    return result.checked


def export(rows: int, url: str) -> int:
    """Exports all messages to a file."""
    count = 0

    def count_messages(messages: int) -> None:
        nonlocal count
        count += messages

    with tempfile.TemporaryFile() as file:
        history_export.write(_app(rows).messages().oldest_first(Span()), file, count_messages)
        lines = _lines(file)
    if lines != count:
        raise SystemExit(f"{lines} lines of {count} messages")
    return count


def _lines(file: BinaryIO) -> int:
    file.seek(0)
    return sum(1 for _ in file)


def _app(rows: int) -> App:
    return App(environ={**os.environ, "NWCHAT_CHAT__NAME": f"rows-{rows}"})


if __name__ == "__main__":
    sys.exit(main())
