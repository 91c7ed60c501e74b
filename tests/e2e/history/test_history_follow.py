"""`history tail -f` while writers of many clocks write and a quarter of all reads fail: what is printed is
what is stored, in order. NWCHAT_TEST_FOLLOW_SECONDS makes it longer."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from nwchat.model.ids import UlidGenerator
from nwchat.model.wire import Message
from nwchat.storage.store import Store
from nwchatctl.aws.core.retry import with_retries
from tests.e2e.support.chat import Chat, RunningCommand, now_ms, unique
from tests.e2e.support.fault_proxy import Call, Fault, Proxy, SeededFaults

SECONDS = float(os.environ.get("NWCHAT_TEST_FOLLOW_SECONDS", "12"))

WRITERS = 5
EVERY = 0.25
"""Seconds between two messages of a writer: 20 a second in all."""

LATE = 0.5
"""Seconds from a late message's id to its writing."""

SKEW_MS = 150
"""How far a writer's clock may be off, either way."""


class Failing(SeededFaults):
    """A quarter of all queries fail, in any way but one that takes 20 s; once, all of them for a while."""

    def __init__(self, outage: tuple[float, float]) -> None:
        super().__init__(seed=4, share=0.25)
        self.began = time.monotonic()
        self.outage = outage

    def __call__(self, call: Call) -> Fault | None:
        if call.operation != "Query":
            return None
        if self.outage[0] < time.monotonic() - self.began < self.outage[1]:
            return Fault.RESET_BEFORE
        found = super().__call__(call)
        return Fault.THROTTLED if found is Fault.LATE else found


def writer(chat: Chat, number: int, began: float, stored: list[str]) -> None:
    """Every other message or so is stored LATE, after those that were made meanwhile."""
    drawn = random.Random(number)
    skew = drawn.randint(-SKEW_MS, SKEW_MS)
    new_id = UlidGenerator(lambda: now_ms() + skew, os.urandom)
    store = Store(chat.dynamodb, "", chat.messages_table)
    waiting: list[tuple[float, Message]] = []
    due, until = began, began + SECONDS
    while waiting or due < until:
        now = time.monotonic()
        if now >= due and due < until:
            late = LATE if drawn.random() < 0.5 else 0.0
            waiting.append((now + late, Message(new_id(), f"{number}", "", "", now_ms())))
            due += EVERY
        for at, each in [every for every in waiting if every[0] <= now]:
            # The same row, if the first attempt's answer was lost.
            with_retries(store.append, each, now_ms() // 1000 + 3600)
            stored.append(each.id)
            waiting.remove((at, each))
        time.sleep(0.02)


def test_following_prints_what_is_stored_in_order(chat: Chat, proxied_chat: Chat, fault_proxy: Proxy) -> None:
    marker = unique()
    with chat.players(1) as (one,):
        one.send(marker)
        one.receive_text(marker)
    stored: list[str] = []
    failing = Failing(outage=(SECONDS * 0.5, SECONDS * 0.6))
    with proxied_chat.running("history", "tail", "-n", "1", "-f", "--json") as following:
        assert following.message()["message"] == marker
        with fault_proxy.choosing(failing):
            took, printed = _written_and_printed(chat, following, stored)
        done = following.wait(signal.SIGINT)
    assert printed == sorted(stored)
    assert (done.code, done.out) == (130, "")
    assert len(stored) == WRITERS * -(-SECONDS // EVERY)
    assert failing.chosen, "nothing was injected"
    asked = [fault for call, fault in fault_proxy.calls if call.operation == "Query"]
    # Three of them before the first poll.
    assert len(asked) <= took + 3 + 2
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert 1 <= len(warnings) <= len([fault for fault in asked if fault])


def test_following_a_quiet_chat_ends_when_the_reader_has_gone(chat: Chat) -> None:
    marker = unique()
    with chat.players(1) as (one,):
        one.send(marker)
        one.receive_text(marker)
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m nwchatctl history tail -n 1 -f --json | head -n 1"],
        env=chat.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["message"] == marker


def _written_and_printed(chat: Chat, following: RunningCommand, stored: list[str]) -> tuple[float, list[str]]:
    # The first use makes the client, which takes a while.
    assert chat.dynamodb is not None
    began = time.monotonic()
    printed: list[str] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(writer, chat, number, began, stored) for number in range(WRITERS)]
        while not all(each.done() for each in writers) or len(printed) < len(stored):
            line = following.line()
            assert line is not None, "it has ended"
            printed.append(json.loads(line)["id"])
        for each in writers:
            each.result()
    return time.monotonic() - began, printed
