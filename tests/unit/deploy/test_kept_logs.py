"""Logs that were set by hand are kept; those that came from a setting end with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.deploy.desired.history_api import history_api
from nwchatctl.deploy.kept_logs import keep_logs
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.state import key, state
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.deploy.names import ResourceNames

PLACE, OWN = Location("123456789012", "us-east-2"), "/aws/apigateway/nwchat-x-access"
STAGE = Stage("production", "d", False, 100.0, 200, (("ping", "20/s, burst 200"),), (), ())
HISTORY = history_api(ResourceNames("x"), PLACE, (), allowed=(), rate=5.0, burst=10)
WANTED = state(STAGE, HISTORY)
ELSEWHERE: Any = {"access_log": PLACE.arn("logs", "log-group:/else"), "access_format": "$context.requestId"}
BY_HAND = dataclasses.replace(
    STAGE,
    execution_log="INFO with data",
    route_settings=(("ping", "1/s, burst 1, ERROR and metrics"), ("onMessage", "9/s, burst 9, INFO")),
    **ELSEWHERE,
)


def test_logs_set_by_hand_are_kept_and_nothing_else() -> None:
    history = dataclasses.replace(HISTORY, throttle_rate=1.0, **ELSEWHERE)
    kept = keep_logs(WANTED, state(BY_HAND, history), OWN, access=True, execution=True)
    wanted = dataclasses.replace(
        STAGE,
        execution_log="INFO with data",
        route_settings=(("onMessage", "100/s, burst 200, INFO"), ("ping", "20/s, burst 200, ERROR")),
        **ELSEWHERE,
    )
    assert kept.wanted == state(wanted, dataclasses.replace(HISTORY, **ELSEWHERE))
    assert [text.split(" that were", 1)[0] for text in kept.texts] == [
        "stage production writes access logs",
        "stage production writes execution logs",
        "history-api nwchat-x-history writes access logs",
    ]
    assert "with the texts of messages" in kept.texts[1]


@pytest.mark.parametrize(("access", "execution"), [(True, False), (False, True), (False, False)])
def test_each_setting_decides_about_its_own_logs(access: bool, execution: bool) -> None:
    kept = keep_logs(WANTED, state(BY_HAND, HISTORY), OWN, access=access, execution=execution)
    stage = kept.wanted[key(STAGE)]
    assert isinstance(stage, Stage)
    assert (bool(stage.access_log), bool(stage.execution_log)) == (access, execution)
    assert len(kept.texts) == access + execution


def test_access_logs_of_an_earlier_setting_end_with_it() -> None:
    own = dataclasses.replace(STAGE, access_log=PLACE.arn("logs", f"log-group:{OWN}"), access_format="x")
    kept = keep_logs(WANTED, state(own, HISTORY), OWN, access=True, execution=True)
    assert (kept.wanted, kept.texts) == (WANTED, ())


def test_a_new_chat_has_nothing_to_keep() -> None:
    kept = keep_logs(WANTED, {}, OWN, access=True, execution=True)
    assert (kept.wanted, kept.texts) == (WANTED, ())
