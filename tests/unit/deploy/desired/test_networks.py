"""Functions in a VPC: by the settings, or as they were set by hand."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from pydantic import ValidationError

from nwchatctl.config.settings import Settings
from nwchatctl.deploy.changes import changed_key
from nwchatctl.deploy.desired.account_needs import kept_networks
from nwchatctl.deploy.desired.chat import desired_state, release_name
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.planner import plan

PLACE = Location("123456789012", "us-east-2")
SUBNETS, GROUPS = ("subnet-00000001", "subnet-00000002"), ("sg-00000001",)
IN_VPC: dict[str, Any] = {"subnets": [*reversed(SUBNETS)], "security_groups": [*GROUPS]}


def chat(live: State | None = None, **functions: Any) -> State:
    settings = Settings.model_validate({"functions": functions})
    return desired_state(settings, PLACE, "c0de", "abc123", live=live)


def networks(state: State) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    return {(each.subnets, each.security_groups) for each in state.values() if isinstance(each, Function)}


def may_connect(state: State) -> set[bool]:
    """Whether the roles have the permissions for network interfaces."""
    return {"ec2:CreateNetworkInterface" in each.policy for each in state.values() if isinstance(each, Role)}


def test_without_the_setting_nothing_is_different() -> None:
    assert networks(chat()) == {((), ())}
    assert may_connect(chat()) == {False}
    assert chat(live=chat()) == chat()


def test_the_settings_put_every_function_and_its_role_there() -> None:
    made = chat(**IN_VPC)
    assert networks(made) == {(SUBNETS, GROUPS)}
    assert may_connect(made) == {True}
    assert release_name(made) != release_name(chat()), "a version keeps its VPC"
    role = made[("role", "nwchat-ninjawars-message-us-east-2")]
    assert isinstance(role, Role)
    statements = {each["Sid"]: each for each in json.loads(role.policy)["Statement"]}
    assert statements["NetworkNotByCode"]["Effect"] == "Deny"
    arn = PLACE.arn("lambda", "function:nwchat-ninjawars-message")
    assert statements["NetworkNotByCode"]["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": arn}}


def test_what_was_set_by_hand_is_kept_and_said() -> None:
    message = chat()[("function", "nwchat-ninjawars-message")]
    assert isinstance(message, Function)
    by_hand = dataclasses.replace(message, subnets=SUBNETS, security_groups=GROUPS)
    live = {**chat(), ("function", message.name): by_hand}
    wanted = chat(live=live)
    assert wanted[("function", message.name)] == by_hand
    assert ("function", message.name) not in {changed_key(each) for each in plan(wanted, live).changes}
    role = wanted[("role", message.role)]
    assert isinstance(role, Role)
    assert "ec2:CreateNetworkInterface" in role.policy
    functions = [each for each in wanted.values() if isinstance(each, Function)]
    assert kept_networks(functions, Settings()) == (
        "function nwchat-ninjawars-message runs in a VPC (subnet-00000001, subnet-00000002) without a "
        "setting: it is kept",
    )
    assert kept_networks(functions, Settings.model_validate({"functions": IN_VPC})) == ()


def test_none_leaves_the_vpc_but_keeps_the_permissions_for_its_interfaces() -> None:
    made = chat(live=chat(**IN_VPC), subnets=["none"])
    assert networks(made) == {((), ())}
    assert may_connect(made) == {True}


@pytest.mark.parametrize(
    "functions",
    [
        {"subnets": ["subnet-00000001"]},
        {"security_groups": ["sg-00000001"]},
        {"subnets": ["none"], "security_groups": ["sg-00000001"]},
        {"subnets": ["none", "subnet-00000001"], "security_groups": ["sg-00000001"]},
        {"subnets": ["vpc-00000001"], "security_groups": ["sg-00000001"]},
        {"subnets": ["subnet-00000001"], "security_groups": ["subnet-00000001"]},
    ],
)
def test_what_is_no_vpc_is_refused(functions: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must"):
        Settings.model_validate({"functions": functions})
