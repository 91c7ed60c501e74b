"""The engine as the functions use it: the `Poster` of a cold start, requests over the standard library."""

from __future__ import annotations

import os
from collections.abc import Sequence

from bench.posts.contenders.common import PostTask, Send, main
from bench.posts.contenders.recipients import RecipientPages
from nwchat import runtime
from nwchat.delivery.poster import Poster


def make_poster(task: PostTask) -> Poster:
    """A new poster to the stage of `task`."""
    os.environ |= {
        "NWCHAT_ENDPOINT": task.url,
        "NWCHAT_CONNECTIONS_TABLE": "none",
        "NWCHAT_MESSAGES_TABLE": "none",
    }
    # As after another cold start: connections of the warm-up are not reused.
    runtime.poster.cache_clear()
    return runtime.poster()


def prepare(task: PostTask) -> Send:
    poster = make_poster(task)

    def send(ids: Sequence[str]) -> int:
        return poster.post_all(RecipientPages(ids), task.frame).delivered

    return send


if __name__ == "__main__":
    main(prepare)
