"""The settings of a chat reach its functions: each of them other than its default."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.e2e.support.chat import SECONDS, Chat, Frame, Player, now_ms, unique
from tests.e2e.support.sandbox import Sandbox

HOME = Origin("https://www.ninjawars.net")


@pytest.fixture(scope="module")
def strict(sandbox: Sandbox) -> Chat:
    made = Chat(
        sandbox,
        "e2e-strict",
        {
            "NWCHAT_STAGE__NAME": "beta",
            "NWCHAT_CHAT__ECHO_TO_SENDER": "false",
            "NWCHAT_CHAT__ALLOWED_ORIGINS": HOME,
            "NWCHAT_CHAT__MAX_MESSAGE_CHARS": "20",
            "NWCHAT_CHAT__MAX_UNAME_CHARS": "5",
            "NWCHAT_CHAT__RATE_MESSAGES": "2",
            "NWCHAT_CHAT__RATE_SECONDS": "3",
            "NWCHAT_FUNCTIONS__LOG_LEVEL": "DEBUG",
            "NWCHAT_TABLES__RETENTION_DAYS": "3",
        },
    )
    made.deploy()
    assert made.url.endswith("/beta")
    return made


@pytest.fixture
def two(strict: Chat) -> Iterator[tuple[Player, ...]]:
    with strict.players(2) as players:
        yield players


def asked(player: Player, text: str, **more: str) -> Frame:
    """The next answer after saying it."""
    player.send({"message": text, "client_id": unique()[:64], **more})
    return player.receive()


def test_no_echo_and_a_short_text_and_name(strict: Chat, two: tuple[Player, ...]) -> None:
    one, other = two
    ack = asked(one, "x" * 20, uname="tchalvak")
    assert ack["type"] == "ack"
    frame = other.receive()
    assert (frame["id"], frame["message"], frame["uname"]) == (ack["id"], "x" * 20, "tchal")
    # The next that comes back is the error: nothing was echoed.
    assert asked(one, "x" * 21)["code"] == "too_long"
    row = strict.dynamodb.get_item(
        TableName=strict.messages_table, Key={"room": {"S": "main"}, "id": {"S": ack["id"]}}
    )["Item"]
    assert int(row["expires_at"]["N"]) == int(frame["date"]) // 1000 + 3 * 86_400
    assert strict.nwchatctl("broadcast", "x" * 21).code == 2


def test_two_in_a_window_and_then_the_next_window(two: tuple[Player, ...]) -> None:
    one, _ = two
    frames = [asked(one, "again")]
    # Windows are the server's: three within one of them, sooner or later.
    while frames[-1]["type"] != "error" and len(frames) < 200:
        frames.append(asked(one, "again"))
    assert [each["type"] for each in frames[:2]] == ["ack", "ack"]
    assert frames[-1]["code"] == "rate_limited"
    # Only the first frame beyond the rate is answered.
    time.sleep(frames[-1]["retry_after"])
    assert asked(one, "later")["type"] == "ack"


def test_a_page_of_another_site_is_refused(strict: Chat) -> None:
    before = set(strict.rows())
    for origin in ("https://evil.example", "http://www.ninjawars.net", "null"):
        with pytest.raises(InvalidStatus) as refused, strict.players(1, origin=Origin(origin)):
            pass
        assert refused.value.response.status_code == 403
    assert set(strict.rows()) <= before, "whoever is refused is not remembered"
    with strict.players(1, origin=HOME) as (one,):
        assert asked(one, "home")["type"] == "ack"


def test_smoke_knows_the_settings(strict: Chat) -> None:
    done = strict.nwchatctl("smoke", "--json")
    assert [each["name"] for each in done.data["steps"] if not each["ok"]] == []
    assert done.code == 0


def test_debug_logs_contain_no_messages(strict: Chat) -> None:
    """There is a line about the message: a search for its text finds nothing because it is left out."""
    began = now_ms()
    done = strict.nwchatctl("invoke", "message", "--event", "-", "--json", stdin='{"body": "canary"}')
    assert '"message":"sent"' in done.data["log"]
    assert "canary" not in done.data["log"]
    assert now_ms() - began < SECONDS * 1000
