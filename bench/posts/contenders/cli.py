"""Ours, as `broadcast` uses it: credentials and trust by boto3's rules, requests over libcurl.

How many posts are under way at once is the engine's own choice. There is no `--rate` here: how fast it can be
is what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from bench.posts.contenders.common import Send, Task, main
from bench.posts.contenders.crowd import Pages
from nwchat.post import Poster
from nwchat.targets import Rows
from nwchatctl.aws import curling, sockets
from nwchatctl.aws.session import Access, Aws

REGION = "us-east-2"


def prepare(task: Task) -> Send:
    aws = Aws(Access(region=REGION))
    transport = sockets.transport(aws)
    # Where pycurl is missing the tool has another transport, and this would measure that.
    assert isinstance(transport, curling.CurlTransport)
    credentials = partial(sockets.credentials, aws)
    # Nobody is gone here, so no row is deleted.
    rows = Rows("http://127.0.0.1", REGION, "none", credentials)
    poster = Poster(transport, task.url, REGION, credentials, rows, lambda: time.time_ns() // 1_000_000)

    def send(ids: Sequence[str]) -> int:
        return poster.spread(Pages(ids), task.frame).delivered

    return send


if __name__ == "__main__":
    main(prepare)
