"""What a deploy leaves as it is, although no setting asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.deploy.changes import Create, Delete
from nwchatctl.deploy.desired.dead_letters import queue
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.model.state import state
from nwchatctl.deploy.model.storage import LogGroup, Recovery, Table
from nwchatctl.deploy.model.websocket import Api
from nwchatctl.deploy.partial import limit_plan
from nwchatctl.deploy.planner import plan
from nwchatctl.deploy.protections import keep_all_protections, keep_protections
from nwchatctl.deploy.safety import refuse_large_policies
from nwchatctl.errors import ChatError

OWN = (("nwchat:chat", "x"), ("nwchat:managed-by", "nwchatctl"))
TABLE = Table("t", "id", "", "", False, "PAY_PER_REQUEST", OWN)
QUEUE = queue("q", OWN)


def role(policy: str) -> Role:
    return Role("r", "{}", policy, (), OWN)


@pytest.mark.parametrize(
    "want",
    [TABLE, QUEUE, LogGroup("g", 30, OWN), role("{}"), Api("x", "x", "$r", True, OWN)],
    ids=lambda each: each.kind,
)
def test_tags_of_others_stay(want: Any) -> None:
    have = dataclasses.replace(want, tags=(("backup", "daily"), *OWN))
    assert keep_protections(have, want) == have


def test_tags_of_the_settings_count() -> None:
    """Another value is repaired; a tag that the settings had is removed; the tool's own are as they are."""
    have = (("cost", "old"), ("nwchat:chat", "x"), ("nwchat:other", "y"), ("team", "a"))
    want = (("cost", "new"), *OWN)
    kept = keep_protections(
        dataclasses.replace(TABLE, tags=have), dataclasses.replace(TABLE, tags=want), frozenset({"team"})
    )
    assert kept.tags == want


def test_deletion_protection_is_never_lowered() -> None:
    protected = dataclasses.replace(TABLE, deletion_protection=True)
    assert keep_protections(protected, TABLE) == protected
    assert keep_protections(TABLE, protected) == protected


@pytest.mark.parametrize(("have", "after"), [("alias/mine", "alias/mine"), ("", "sqs"), ("sqs", "sqs")])
def test_key_of_a_queue_stays(have: str, after: str) -> None:
    assert keep_protections(dataclasses.replace(QUEUE, encryption=have), QUEUE).encryption == after


def test_retention_is_as_the_settings_say() -> None:
    """It is a setting, and what docs/explanation/privacy.md promises."""
    assert keep_protections(LogGroup("g", 365, OWN), LogGroup("g", 30, OWN)).retention_days == 30


def test_resources_that_are_only_wanted_or_only_live_are_left_alone() -> None:
    wanted = keep_all_protections(state(TABLE), state(QUEUE), frozenset())
    assert wanted == state(TABLE)
    assert keep_protections(QUEUE, TABLE) == TABLE


def test_recovery_is_never_turned_off_and_comes_last() -> None:
    live = state(TABLE, Recovery("t"))
    assert not plan(state(TABLE), live)
    assert plan({}, live).changes == (Delete(TABLE),)
    made = plan(state(TABLE, Recovery("t"), role("{}")), {})
    assert made.after["recovery", "t"] == {("table", "t")}
    only = limit_plan(made, {("recovery", "t"), ("table", "t")})
    assert only.changes == (Create(TABLE), Create(Recovery("t")))
    with pytest.raises(ChatError, match="not there yet, or not as wanted: table") as caught:
        limit_plan(made, {("recovery", "t")})
    assert caught.value.code == "only_incomplete"


def test_policy_of_a_role_is_measured_without_white_space() -> None:
    refuse_large_policies(plan(state(role("x" * 10_240 + " \n" * 100)), {}))
    with pytest.raises(ChatError, match="10241 characters, and IAM takes 10240") as caught:
        refuse_large_policies(plan(state(role("x" * 10_241)), state(role("y"))))
    assert caught.value.code == "policy_too_large"
