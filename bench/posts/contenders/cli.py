"""The engine as `broadcast` uses it: credentials and trust by boto3's rules, requests over libcurl.

The engine chooses how many posts are in flight. There is no `--rate`, because the maximum is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from bench.posts.contenders.common import PostTask, Send, main
from bench.posts.contenders.recipients import RecipientPages
from nwchat.delivery.poster import Poster
from nwchat.delivery.targets import RowDeletion
from nwchatctl.aws import management_api
from nwchatctl.aws.core.session import Access, Aws
from nwchatctl.net import curl_transport

REGION = "us-east-2"


def make_poster(task: PostTask) -> Poster:
    """A new poster to the stage of `task`."""
    aws = Aws(Access(region=REGION))
    transport = management_api.transport(aws)
    # Without pycurl the tool uses another transport, and this would measure that one.
    assert isinstance(transport, curl_transport.CurlTransport)
    credentials = partial(management_api.credentials, aws)
    # All connections are open, so no row is deleted.
    rows = RowDeletion("http://127.0.0.1", REGION, "none", credentials)
    return Poster(transport, task.url, REGION, credentials, rows, lambda: time.time_ns() // 1_000_000)


def prepare(task: PostTask) -> Send:
    poster = make_poster(task)

    def send(ids: Sequence[str]) -> int:
        return poster.post_all(RecipientPages(ids), task.frame).delivered

    return send


if __name__ == "__main__":
    main(prepare)
