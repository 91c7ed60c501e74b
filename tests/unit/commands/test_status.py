"""What `status` shows of a reading: one screen, one key for each line of the summary."""

from __future__ import annotations

from typing import Any

import pytest

from nwchat.model.wire import Message
from nwchatctl.commands import status
from nwchatctl.commands.status import fitting
from nwchatctl.config import Settings
from nwchatctl.config.settings import AuthSettings, HistorySettings
from nwchatctl.context import App, GlobalOptions
from nwchatctl.deploy.desired.chat import desired_state
from nwchatctl.deploy.domains.facts import DomainConfig
from nwchatctl.deploy.domains.plan import DomainPlan, DomainPlans
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.planner import plan
from nwchatctl.operations.planning import Planned
from nwchatctl.operations.status import ChatStatus
from nwchatctl.output.plan_view import summary
from nwchatctl.report import Line, Mark, TextTable
from tests.unit.output.memory_streams import streams

PLACE = Location("123456789012", "us-east-2")
CHAT = desired_state(Settings(), PLACE, "c0de", "abc123", "def456")
OTHER = desired_state(
    Settings(auth=AuthSettings(mode="token"), history=HistorySettings(enabled=False)), PLACE, "c1de"
)


def domain(setting: str) -> DomainPlan:
    name = f"{setting.partition('.')[0]}.example.com"
    return DomainPlan(DomainConfig(name, "", "", False, "api", "s", setting), "", None, None, False, "", ())


def reading(live: Any = None, **parts: Any) -> ChatStatus:
    """A reading of a chat that should be `CHAT` and is `live`."""
    live = CHAT if live is None else live
    found: Any = parts.pop("found", None) or Planned(
        cloud=None,  # type: ignore[arg-type]
        live=type("Live", (), {"state": live})(),
        wanted=CHAT,
        plan=plan(CHAT, live),
        domains=DomainPlans(tuple(map(domain, ("domain.name", "history.domain")))),
    )
    made: dict[str, Any] = {
        "chat": {
            "chat": "ninjawars",
            "stage": "production",
            "account": PLACE.account,
            "region": PLACE.region,
        },
        "settings_file": "/etc/nwchat.toml",
        "endpoints": {
            "websocket": PLACE.websocket_url("abcdefghij", "production"),
            "history": "https://history.example.com",
            "domain": "wss://domain.example.com/",
        },
        "release": "1accdccd89e7",
        "requires_token": False,
        "connected": 3,
        "banned": 1,
        "last_message": Message("id", "text", "Alice", "7", 1_767_225_600_000),
        "dead_letters": None,
        "lock_rows": [("locked", "deploy by kim on host, since 12:00")],
        "account_warnings": (),
    }
    return ChatStatus(found=found, **{**made, **parts})


def body(
    now: ChatStatus, monkeypatch: pytest.MonkeyPatch, *, everything: bool = False, **stream: Any
) -> tuple[Line | TextTable, ...]:
    app = App(options=GlobalOptions())
    app.streams = streams(**stream)
    monkeypatch.setattr(Planned, "dns_records", ())
    return status._body(app, now, everything=everything)


def rows(parts: tuple[Line | TextTable, ...]) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for each in parts if isinstance(each, TextTable) for row in each.rows]


def test_chat_account_region_and_settings_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = rows(body(reading(), monkeypatch))
    assert shown[:4] == [
        ("chat", "ninjawars"),
        ("account", "123456789012"),
        ("region", "us-east-2"),
        ("settings", "/etc/nwchat.toml"),
    ]
    assert rows(body(reading(settings_file=None), monkeypatch))[3][1].startswith("none")


@pytest.mark.parametrize("everything", [False, True])
def test_every_key_is_one_word_and_there_once(everything: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key for key, _ in rows(body(reading(), monkeypatch, everything=everything))]
    assert len(set(keys)) == len(keys)
    assert not [each for each in keys if " " in each or "\t" in each]
    assert {"release", "auth", "last_message", "dead_letters", "history_cert", "chat_dns"} <= set(keys)


def test_only_what_differs_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = body(reading(), monkeypatch)
    assert [each for each in parts if isinstance(each, Line)] == []
    assert rows(parts)[-1] == ("state", "as configured")
    listed = rows(body(reading(), monkeypatch, everything=True))
    assert ("stage/production", "ok") in listed
    assert ("permission/nwchat-ninjawars-connect:live/nwchat-connect", "ok") in listed
    differing = body(reading(OTHER), monkeypatch)
    assert dict(rows(differing))["state"] == f"differs: {summary(plan(CHAT, OTHER).changes)}"
    assert len([each for each in differing if isinstance(each, Line)]) >= len(plan(CHAT, OTHER).changes)


def test_whole_chat_fits_a_screen_with_all_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = reading(OTHER)
    parts = body(now, monkeypatch, terminal=True, width=80)
    lines = [each.text for each in parts if isinstance(each, Line)]
    assert len(rows(parts)) + sum(-(-len(each) // 80) for each in lines) <= 23
    assert lines[-1].endswith("more: nwchatctl status --all")
    # The address can be copied: no line of the summary is wrapped.
    assert max(len(value) for _, value in rows(parts)) + max(len(key) for key, _ in rows(parts)) + 3 <= 80


def test_lines_that_do_not_fit_are_counted() -> None:
    lines = [Line("x" * 10), Line("y" * 45), Line("z")]
    assert fitting(lines, 7, 10, "status --all") == tuple(lines)
    more = Line("… and 2 lines more: status --all", Mark.DIM)
    assert fitting(lines, 6, 10, "status --all") == (lines[0], more)
    assert fitting(lines, 0, 10, "status --all")[:-1] == ()
