"""What `connections prune` does, from the first page that is read to the last row that is deleted.

    python -m bench.prune.contender URL ROWS RATE

prunes the table `rows-ROWS` at the stub's URL, with at most RATE questions a second, and prints a line of
JSON.
"""

from __future__ import annotations

import gc
import sys
import time
from functools import partial

from bench.posts.contenders.common import processor, report
from nwchat.ahead import Ahead
from nwchat.pace import Pace
from nwchat.rows import Recipient
from nwchat.scanning import Part
from nwchat.store import Store
from nwchat.targets import Connections, Rows
from nwchatctl.aws.clock import ServerClock
from nwchatctl.aws.session import Access, Aws, Credentials
from nwchatctl.aws.sockets import credentials, transport
from nwchatctl.chat.candidates import PARTS, Candidates
from nwchatctl.chat.sweeping import sweep

_REGION = "us-east-2"


def main() -> int:
    url, rows, rate = sys.argv[1:]
    aws = Aws(Access(region=_REGION, endpoint=url, credentials=Credentials("AKIDEXAMPLE", "secret")))
    client, table = aws.client("dynamodb"), f"rows-{rows}"
    clock = ServerClock(client, lambda: time.time_ns() // 1_000_000)
    chosen = Candidates(Store(client, table, "").scan, clock.now_ms, 120_000, expired=True)
    found: Ahead[Recipient] = Ahead(
        [partial(chosen.pages, Part(number, PARTS)) for number in range(PARTS)], depth=1
    )
    keys = partial(credentials, aws)
    asked = Connections("GET", f"{url}/production", _REGION, keys)
    gc.collect()
    began, busy = time.perf_counter(), processor()
    swept = sweep(transport(aws), asked, Rows(url, _REGION, table, keys), found, pace=Pace(float(rate)))
    seconds, cpu_seconds = time.perf_counter() - began, processor() - busy
    if swept.checked != int(rows) or swept.failed or swept.deleted != swept.gone:
        raise SystemExit(f"it went wrong: {swept}")
    report(posts=swept.checked, seconds=seconds, cpu_seconds=cpu_seconds, delivered=swept.deleted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
