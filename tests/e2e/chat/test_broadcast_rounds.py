"""Two runs of one announcement at random offsets, against a DynamoDB that raises conflicts, throttles and
loses answers: every socket receives it once, in every round."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path

from tests.e2e.support.chat import Chat, Ran, gather, unique
from tests.e2e.support.concurrent_forks import DelayedCommand, concurrent_forks
from tests.e2e.support.fault_proxy import CONFLICTING, Call, Fault, proxy
from tests.e2e.support.proxied_sandbox import proxied_sandbox

ROUNDS = 200
AT_ONCE = 10
SOCKETS = 3

OFFSET_SECONDS = 0.25
"""The largest offset between two runs, about as long as one of them takes."""

FAULTS = (
    Fault.TRANSACTION_CONFLICT,
    Fault.THROTTLED,
    Fault.RESET_BEFORE,
    Fault.RESET_AFTER,
    Fault.CUT,
    Fault.BROKEN_500,
)


class DynamoDbFaults:
    """Faults of one in six calls to DynamoDB that are about an announcement's row."""

    def __init__(self, seed: int) -> None:
        self.chosen: Counter[Fault] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Fault | None:
        if call.service != "dynamodb" or call.operation not in (*CONFLICTING, "GetItem"):
            return None
        with self._lock:
            fault = self._random.choice(FAULTS)
            if self._random.random() > 1 / 6 or fault not in call.faults:
                return None
            self.chosen[fault] += 1
            return fault


def test_two_runs_send_once_whatever_dynamodb_does(chat: Chat, tmp_path: Path) -> None:
    chat.wait_until_empty()
    faults, offsets = DynamoDbFaults(11), random.Random(11)
    with (
        chat.players(SOCKETS) as players,
        proxy(chat.sandbox.endpoint) as fault_proxy,
        proxied_sandbox(fault_proxy, chat.sandbox, tmp_path / "proxied") as proxied,
        concurrent_forks(Chat(proxied, chat.name, chat.settings).environ, tmp_path) as forks,
        fault_proxy.choosing(faults),
    ):
        for _ in range(ROUNDS // AT_ONCE):
            texts = [unique() for _ in range(AT_ONCE)]
            results = forks.run(
                *(
                    DelayedCommand(
                        ("broadcast", "--id", text, text, "--json"), offsets.uniform(0, OFFSET_SECONDS)
                    )
                    for text in texts
                    for _ in range(2)
                )
            )
            ids = {
                text: sent_id(*pair)
                for text, pair in zip(texts, zip(results[::2], results[1::2], strict=True), strict=True)
            }
            for frames in gather(*players):
                assert Counter((each["message"], each["id"]) for each in frames) == Counter(ids.items())
    assert set(faults.chosen) == set(FAULTS)
    assert faults.chosen.total() > ROUNDS / 2


def sent_id(*pair: Ran) -> str:
    """The id of the announcement that one of two runs has sent, and the other has found to be sent."""
    assert [each.code for each in pair] == [0, 0], pair
    assert sorted(each.data["already_sent"] for each in pair) == [False, True], pair
    (found,) = {each.data["id"] for each in pair}
    return str(found)
