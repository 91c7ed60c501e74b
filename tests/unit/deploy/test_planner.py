"""Plans are values: what is wanted and what is live in, changes and their order out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nwchatctl.deploy.changes import Create, Delete, Field, Update, changed_key, fields, flatten
from nwchatctl.deploy.desired.policies import Arns, function_policy, lambda_trust
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.logging_role import LoggingRoleState, logs_access
from nwchatctl.deploy.model.functions import Alias, Function, Permission, Role
from nwchatctl.deploy.model.placeholders import API_ID, with_api_id
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Key, Resource, State, key, state
from nwchatctl.deploy.model.storage import LogGroup, Table
from nwchatctl.deploy.model.websocket import Api, Deployment, Integration, Route, Stage
from nwchatctl.deploy.planner import dependencies, needs, plan
from nwchatctl.deploy.safety import plan_destroy, refuse_foreign, refuse_other_keys, removals
from nwchatctl.errors import ChatError

TAGS = (("nwchat:chat", "x"),)
PLACE = Location("123456789012", "us-east-2")
ARNS = Arns(
    "arn:logs", "arn:connections", "arn:messages", f"arn:api/{API_ID}/production", "arn:fanout", "arn:queue"
)

TABLE = Table("messages", "room", "id", "expires_at", True, "PAY_PER_REQUEST", TAGS)
GROUP = LogGroup("/aws/lambda/f", 30, TAGS)
ROLE = Role("f", lambda_trust(), function_policy("message", ARNS), (), TAGS)
FUNCTION = Function(
    "f", "f", "nwchat.f.handler", "python3.13", "arm64", 256, 25, (("NWCHAT_A", "1"),), "c0de", "JSON",
    "INFO", "/aws/lambda/f", False, TAGS,
)  # fmt: skip
ALIAS = Alias("f:live", "f", "abc", ())
PERMISSION = Permission(
    "f:live nwchat-default", "f", "nwchat-default", "apigateway.amazonaws.com", f"arn:{API_ID}"
)
API = Api("x", "x", "$request.body.action", True, TAGS)
INTEGRATION = Integration("f", "AWS_PROXY", PLACE.invocation_uri("f"), 29_000, "", "")
ROUTE = Route("$default", "f", "NONE", False, False)
DEPLOYMENT = Deployment("d1")
STAGE = Stage("production", "d1", False, 100.0, 200, (), (), TAGS)
RELEASE = Release("r1", (("f", "abc"),), "d1", "c0de", True)
ACCESS = LogGroup("/aws/apigateway/x-access", 30, TAGS)
LOGGED = dataclasses.replace(
    STAGE, access_log=PLACE.arn("logs", f"log-group:{ACCESS.name}"), access_format="$context.requestId"
)
CHAT: tuple[Resource, ...] = (
    RELEASE, STAGE, DEPLOYMENT, ROUTE, INTEGRATION, PERMISSION, ALIAS, FUNCTION, ROLE, API, GROUP, TABLE,
)  # fmt: skip


def whole() -> State:
    return state(*CHAT)


def test_nothing_differs_nothing_is_planned() -> None:
    assert not plan(whole(), whole())
    assert plan(whole(), whole()).changes == ()


def test_a_first_deploy_makes_everything_in_an_order_that_works() -> None:
    planned = plan(whole(), {})
    assert {each.action for each in planned.changes} == {"create"}
    done: set[tuple[str, str]] = set()
    remaining = list(planned.changes)
    while remaining:
        ready = [each for each in remaining if planned.after[changed_key(each)] <= done]
        assert ready, f"stuck before {[changed_key(each) for each in remaining]}"
        done |= {changed_key(each) for each in ready}
        remaining = [each for each in remaining if each not in ready]
    # The stage moves last, and only to what may run.
    assert planned.after["stage", "production"] == {
        ("deployment", "d1"), ("permission", PERMISSION.name), ("table", "messages"), ("api", "x"),
    }  # fmt: skip
    assert planned.after["function", "f"] == {("role", "f"), ("log-group", "/aws/lambda/f"), ("api", "x")}
    assert planned.after["integration", "f"] == {("alias", "f:live"), ("api", "x")}
    # A release is remembered once it runs.
    assert planned.after["release", "r1"] == {
        ("alias", "f:live"), ("stage", "production"), ("table", "messages"),
    }  # fmt: skip
    assert planned.after["deployment", "d1"] == {("route", "$default"), ("integration", "f"), ("api", "x")}


@pytest.mark.parametrize("resource", (*CHAT, LOGGED), ids=lambda each: str(each.kind))
def test_every_attribute_of_every_kind_is_diffed(resource: Resource) -> None:
    """Whichever attribute differs live, the plan is one update that names it and nothing else."""
    for attribute in dataclasses.fields(resource):
        if attribute.name == "name" or not attribute.compare:
            continue
        value = getattr(resource, attribute.name)
        other: object
        match value:
            case bool():
                other = not value
            case int() | float():
                other = value + 1
            case tuple():
                other = (("added", "by hand"),) if attribute.name in _PAIRS else ("added-by-hand",)
            case _:
                other = (
                    '{"Statement":[],"Version":"2012-10-17"}'
                    if attribute.name in ("policy", "trust")
                    else "else"
                )
        changed: dict[str, Any] = {attribute.name: other}
        live = dataclasses.replace(resource, **changed)
        planned = plan(state(resource), state(live))
        assert planned.changes == (Update(live, resource),)
        named = {each.name.split(".")[0] for each in fields(planned.changes[0])}
        assert named == {attribute.name}


_PAIRS = ("tags", "environment", "variables", "weights", "functions")


def test_a_difference_reads_attribute_by_attribute() -> None:
    live = dataclasses.replace(STAGE, throttle_rate=50.0, tags=(("nwchat:chat", "x"), ("team", "a")))
    assert fields(Update(live, STAGE)) == (
        Field("throttle_rate", "50", "100"),
        Field("tags.team", "a", ""),
    )
    function = dataclasses.replace(FUNCTION, environment=(("NWCHAT_A", "2"), ("NWCHAT_B", "3")))
    assert fields(Update(function, FUNCTION)) == (
        Field("environment.NWCHAT_A", "2", "1"),
        Field("environment.NWCHAT_B", "3", ""),
    )
    role = dataclasses.replace(ROLE, policy=function_policy("connect", ARNS))
    assert [each.name for each in fields(Update(role, ROLE))] == [
        "policy.Connections", "policy.Messages", "policy.History", "policy.Sockets", "policy.Close",
        "policy.Fanout",
    ]  # fmt: skip


def test_unwanted_resource_is_deleted_after_its_dependents() -> None:
    old = Integration("old", "MOCK", "", 29_000, "{}", "{}")
    route_to_old = dataclasses.replace(ROUTE, integration="old")
    planned = plan(whole(), {**whole(), key(ROUTE): route_to_old, key(old): old})
    assert planned.changes == (Delete(old), Update(route_to_old, ROUTE))
    assert planned.after[key(old)] == {key(ROUTE)}
    assert planned.after[key(ROUTE)] == frozenset()
    assert removals(planned) == (Delete(old),)


def test_a_deployment_is_taken_when_what_goes_is_gone() -> None:
    """It is a snapshot, and would hold what is deleted after it."""
    extra, old = (
        Route("extra", "old", "NONE", False, False),
        Integration("old", "MOCK", "", 29_000, "{}", "{}"),
    )
    live = {**whole(), key(extra): extra, key(old): old}
    del live[key(DEPLOYMENT)]
    planned = plan(whole(), live)
    assert planned.after[key(DEPLOYMENT)] == {key(extra), key(old)}
    assert planned.after[key(old)] == {key(extra)}
    assert planned.after[key(extra)] == frozenset()


def test_what_a_deployment_was_taken_of_may_go_before_it() -> None:
    """Else the new one waits for a route to go, that for the old one, and that for the stage, which waits for
    the new one."""
    extra, old = Route("extra", "f", "NONE", False, False), Deployment("old")
    served = dataclasses.replace(STAGE, deployment="old")
    changes = (Delete(extra), Create(DEPLOYMENT), Delete(old), Update(served, STAGE))
    assert dependencies(changes) == {
        key(extra): frozenset(),
        key(DEPLOYMENT): {key(extra)},
        key(STAGE): {key(DEPLOYMENT)},
        key(old): {key(STAGE)},
    }


def test_a_stage_logs_to_what_is_there_and_what_it_logged_to_goes_after() -> None:
    logged = {**whole(), key(ACCESS): ACCESS, key(LOGGED): LOGGED}
    on = plan(logged, whole())
    assert on.changes == (Create(ACCESS), Update(STAGE, LOGGED))
    assert on.after[key(STAGE)] == {key(ACCESS)}
    assert not removals(on)
    off = plan(whole(), logged)
    assert off.changes == (Delete(ACCESS), Update(LOGGED, STAGE))
    assert off.after == {key(STAGE): frozenset(), key(ACCESS): {key(STAGE)}}
    assert removals(off) == (Delete(ACCESS),)


def test_only_a_stage_that_is_to_log_needs_the_accounts_role() -> None:
    logged = {**whole(), key(ACCESS): ACCESS, key(LOGGED): LOGGED}
    assert logs_access(plan(logged, {}))
    assert logs_access(plan(logged, whole()))
    assert not logs_access(plan(whole(), logged))
    assert not logs_access(
        plan(logged, {**logged, key(FUNCTION): dataclasses.replace(FUNCTION, memory_mb=1)})
    )
    # Logs that are on stay on, whatever else of the stage is changed.
    assert logs_access(plan(logged, {**logged, key(LOGGED): dataclasses.replace(LOGGED, throttle_rate=1.0)}))


@pytest.mark.parametrize(
    ("current", "asked", "needed", "sets", "lacking"),
    [
        ("", False, False, False, False),
        ("", False, True, False, True),
        ("", True, True, True, False),
        ("", True, False, True, False),
        ("arn:x", True, True, False, False),
        ("arn:x", False, True, False, False),
    ],
)
def test_a_role_is_set_only_when_asked_for_and_never_replaced(
    current: str, asked: bool, needed: bool, sets: bool, lacking: bool
) -> None:
    found = LoggingRoleState(current, asked, needed)
    assert (found.sets_role, found.is_missing) == (sets, lacking)


def test_old_deployments_are_kept() -> None:
    assert not plan(whole(), {**whole(), ("deployment", "d0"): Deployment("d0")})


def test_the_token_is_filled_in_everywhere_it_stands() -> None:
    filled = [with_api_id(each, "abc123") for each in CHAT]
    assert "abc123" in str(filled)
    assert API_ID not in str(filled)
    assert with_api_id(TABLE, "abc123") == TABLE


def test_a_create_shows_what_is_not_known_yet_as_such() -> None:
    assert flatten(PERMISSION)["source_arn"] == "arn:(known after the API is made)"
    assert Field("source_arn", "", "arn:(known after the API is made)") in fields(Create(PERMISSION))


def test_needs_of_a_mock_hold_no_function() -> None:
    assert needs(Integration("ping", "MOCK", "", 29_000, "{}", "{}")) == {("api", "*")}


def test_another_table_key_is_refused() -> None:
    live = dataclasses.replace(TABLE, sort_key="")
    with pytest.raises(ChatError, match=r"has the key room, and the chat needs room \+ id") as caught:
        refuse_other_keys(plan(state(TABLE), state(live)))
    assert caught.value.code == "table_key"


def test_foreign_resource_is_refused() -> None:
    refuse_foreign([], "x")
    with pytest.raises(ChatError, match="in its way: table messages") as caught:
        refuse_foreign([("table", "messages")], "x")
    assert caught.value.code == "not_ours"


def test_destroy_keeps_data_and_takes_the_api_first() -> None:
    planned, left = plan_destroy(whole(), deploys="deploys", delete_data=False, keep_logs=False)
    assert [changed_key(each)[0] for each in planned.changes] == [
        "stage", "api", "function", "role", "log-group",
    ]  # fmt: skip
    assert left == (("table", "messages"),)
    assert planned.after["function", "f"] == {("stage", "production"), ("api", "x")}
    assert ("function", "f") in planned.after["role", "f"]


def test_destroy_deletes_data_and_keeps_logs_only_on_request() -> None:
    planned, left = plan_destroy(whole(), deploys="deploys", delete_data=True, keep_logs=True)
    assert ("table", "messages") in planned.after
    assert left == (("log-group", "/aws/lambda/f"),)


def test_duplicate_api_is_deleted_without_delaying_other_changes() -> None:
    leftover = dataclasses.replace(API, name="abc123")
    live = {
        **whole(),
        **state(leftover, dataclasses.replace(STAGE, deployment="old")),
        key(ROUTE): dataclasses.replace(ROUTE, integration="other"),
    }
    del live[key(DEPLOYMENT)]
    made = plan(whole(), live)
    assert removals(made) == (Delete(leftover),)
    assert made.after[key(leftover)] == frozenset()
    assert not any(key(leftover) in each for each in made.after.values())
    # Everything can be carried out: no change waits for one that waits for it.
    done: set[Key] = set()
    while ready := {where for where, before in made.after.items() if before <= done} - done:
        done |= ready
    assert done == {changed_key(each) for each in made.changes}


def test_destroy_deletes_duplicate_apis() -> None:
    leftover = dataclasses.replace(API, name="abc123")
    made, _ = plan_destroy(state(API, leftover), deploys="deploys", delete_data=False, keep_logs=False)
    assert made.changes == (Delete(leftover), Delete(API))
