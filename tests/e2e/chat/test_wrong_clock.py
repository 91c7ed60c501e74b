"""A machine whose clock is wrong: what it makes bears AWS's time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nwchat.model.ids import ulid, ulid_time
from nwchat.model.rows import message_row
from nwchat.model.wire import Message
from nwchatctl.context import App
from tests.e2e.support.chat import Chat, now_ms, unique
from tests.e2e.support.operator import Operator

HOUR_MS = 3_600_000
CLOSE_MS = 60_000
"""Longer than a command takes on a busy machine."""

Wrong = Callable[[int], None]


@pytest.fixture
def operator(chat: Chat, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """The chat in this process, where the clock can be set."""
    return Operator(chat.sandbox, chat.name, tmp_path_factory.mktemp("home"), **chat.settings)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Wrong:
    """Sets the clock of this machine so many ms ahead."""

    def ahead(ms: int) -> None:
        monkeypatch.setattr(App, "local_ms", lambda app: now_ms() + ms)

    return ahead


@pytest.mark.parametrize("ahead", [-HOUR_MS, HOUR_MS])
@pytest.mark.parametrize("once", [False, True])
def test_announcement_has_the_time_of_aws(
    chat: Chat, operator: Operator, set_clock: Wrong, ahead: int, once: bool
) -> None:
    """Otherwise it is in a place of the history where no client looks for it."""
    text = unique()
    set_clock(ahead)
    with chat.players(1) as (player,):
        sent = operator.json("broadcast", text, *(("--id", text) if once else ()))
        frame = player.receive_text(text)
        # AWS's clock has whole seconds, so one of the same second may come after it.
        assert sent["id"] in [each["id"] for each in player.history(5)]
    assert abs(ulid_time(sent["id"]) - now_ms()) < CLOSE_MS
    assert abs(int(frame["date"]) - now_ms()) < CLOSE_MS


def test_id_is_not_free_again_for_a_clock_a_day_ahead(operator: Operator, set_clock: Wrong) -> None:
    text = unique()
    assert operator.json("broadcast", text, "--id", text)["already_sent"] is False
    set_clock(25 * HOUR_MS)
    assert operator.json("broadcast", text, "--id", text)["already_sent"] is True


@pytest.mark.parametrize("limit", [("--before", "30m"), ("--keep", "0")])
def test_trim_keeps_what_is_young_by_the_clock_of_aws(
    chat: Chat, operator: Operator, set_clock: Wrong, limit: tuple[str, str]
) -> None:
    """A message of ten minutes ago, and one whose time comes in ten minutes, as another wrong clock made
    it."""
    made = []
    for minutes in (-10, 10):
        date = now_ms() + minutes * 60_000
        made.append(Message(ulid(date, bytes(10)), unique(), "u", "7", date))
    chat.put(chat.messages_table, [message_row(each, now_ms() // 1000 + 3600) for each in made])
    set_clock(HOUR_MS)
    operator.json("history", "trim", *limit, "--confirm", chat.name)
    kept = {each.id for each in made if chat_has(chat, each.id)}
    assert kept == ({each.id for each in made} if limit[0] == "--before" else {made[1].id})
    operator.run("history", "delete", *(each.id for each in made))


def chat_has(chat: Chat, key: str) -> bool:
    where = {"room": {"S": "main"}, "id": {"S": key}}
    return "Item" in chat.dynamodb.get_item(TableName=chat.messages_table, Key=where)
