"""The whole wiring against a golden file, and the policies against lists: a lost action cannot go unseen."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from nwchat.model.bans import ROOM
from nwchat.model.budget import ROOM_PREFIX
from nwchatctl.config import Settings
from nwchatctl.deploy.changes import Update, fields
from nwchatctl.deploy.desired.access_logs import FORMAT
from nwchatctl.deploy.desired.chat import ROUTES, desired_state, release_name
from nwchatctl.deploy.desired.functions import FUNCTIONS
from nwchatctl.deploy.fingerprints import fingerprint
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.state import State
from nwchatctl.deploy.model.storage import LogGroup
from nwchatctl.deploy.model.websocket import Deployment, Route, Stage
from nwchatctl.deploy.names import ResourceNames
from tests.paths import GOLDEN

PLACE = Location("123456789012", "us-east-2")
OTHER_BOUNDARY = "arn:aws:iam::123456789012:policy/path/mine"
SANDBOX = Location("000000000000", "us-east-2", "http://127.0.0.1:4566")


def chat(place: Location = PLACE, code: str = "c0de", **sections: Any) -> State:
    return desired_state(Settings(**sections), place, code, "abc123")


def one(state: State, kind: type, name: str = "") -> Any:
    (found,) = (each for each in state.values() if isinstance(each, kind) and name in (each.name, ""))
    return found


def test_the_default_chat_is_wired_like_this() -> None:
    """Run with UPDATE_GOLDEN=1 to write the file, then read its diff."""
    shown = {f"{kind} {name}": dataclasses.asdict(each) for (kind, name), each in sorted(chat().items())}
    for each in shown.values():
        for policy in ("trust", "policy"):
            if each.get(policy):
                each[policy] = json.loads(each[policy])
    golden = GOLDEN / "chat.json"
    text = json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    import os

    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


ACTIONS = {
    "connect": {
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeTable",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "disconnect": {
        "dynamodb:DeleteItem",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "fanout": {
        "dynamodb:DeleteItem",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "execute-api:ManageConnections",
        "lambda:InvokeFunction",
        "sqs:SendMessage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
    "authorize": {"logs:CreateLogStream", "logs:PutLogEvents", "ssm:GetParameter"},
    "history": {
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeTable",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "ssm:GetParameter",
    },
    "message": {
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:DescribeTable",
        "lambda:InvokeFunction",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "execute-api:ManageConnections",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    },
}


@pytest.mark.parametrize("short", FUNCTIONS)
def test_a_function_may_do_exactly_this(short: str) -> None:
    role: Role = one(chat(auth={"mode": "token"}), Role, f"nwchat-ninjawars-{short}-us-east-2")
    statements = json.loads(role.policy)["Statement"]
    assert {action for each in statements for action in each["Action"]} == ACTIONS[short]
    for each in statements:
        assert each["Effect"] == "Allow"
        resource = each["Resource"]
        # A star only behind a name of this chat's.
        assert "*" not in resource.removesuffix("/*").removesuffix(":*")
        method = "DELETE" if each["Sid"] == "Close" else "POST"
        assert "ninjawars" in resource or f"abc123/production/{method}/@connections/" in resource


def test_open_mode_has_no_access_to_keys() -> None:
    roles = [each for each in chat().values() if isinstance(each, Role)]
    names = {each.name.removesuffix("-us-east-2").rpartition("-")[2] for each in roles}
    assert names == set(FUNCTIONS) - {"authorize"}
    assert "ssm:" not in "".join(each.policy for each in roles)
    history = json.loads(one(chat(), Role, "nwchat-ninjawars-history-us-east-2").policy)["Statement"]
    assert [each["Sid"] for each in history] == ["History", "Budgets", "Logs"]


@pytest.mark.parametrize("short", ["connect", "message"])
def test_of_the_messages_only_the_bans_can_be_read_by_key(short: str) -> None:
    role: Role = one(chat(), Role, f"nwchat-ninjawars-{short}-us-east-2")
    (bans,) = (each for each in json.loads(role.policy)["Statement"] if each["Sid"] == "Bans")
    assert bans["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [ROOM]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


@pytest.mark.parametrize("short", FUNCTIONS)
def test_every_row_of_the_messages_is_reached_by_its_room_only(short: str) -> None:
    role: Role = one(chat(auth={"mode": "token"}), Role, f"nwchat-ninjawars-{short}-us-east-2")
    for each in json.loads(role.policy)["Statement"]:
        if each["Resource"].endswith("-messages"):
            assert each["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert each["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}


def test_roles_are_assumed_for_this_account_alone() -> None:
    for role in (each for each in chat().values() if isinstance(each, Role)):
        (statement,) = json.loads(role.trust)["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize(
    ("place", "given", "boundary"),
    [
        (PLACE, "", ""),
        (PLACE, "none", ""),
        (PLACE, "mine", "arn:aws:iam::123456789012:policy/mine"),
        (PLACE, OTHER_BOUNDARY, OTHER_BOUNDARY),
        (SANDBOX, "", "arn:aws:iam::000000000000:policy/nwchat-boundary"),
        (SANDBOX, "none", ""),
    ],
)
def test_every_role_has_the_boundary(place: Location, given: str, boundary: str) -> None:
    state = chat(place, functions={"permissions_boundary": given})
    assert {each.boundary for each in state.values() if isinstance(each, Role)} == {boundary}


def test_no_boundary_changes_no_release() -> None:
    """An attribute at its default is no part of a fingerprint."""
    role: Role = one(chat(), Role, "nwchat-ninjawars-connect-us-east-2")
    unbounded = fingerprint([role])
    assert unbounded != fingerprint([dataclasses.replace(role, boundary="arn:x")])
    bounded = chat(functions={"permissions_boundary": "mine"})
    assert release_name(bounded) == release_name(chat())


@pytest.mark.parametrize("short", ["connect", "disconnect", "history"])
def test_of_the_messages_only_budgets_can_be_changed(short: str) -> None:
    role: Role = one(chat(), Role, f"nwchat-ninjawars-{short}-us-east-2")
    (budgets,) = (each for each in json.loads(role.policy)["Statement"] if each["Sid"] == "Budgets")
    assert budgets["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": [f"{ROOM_PREFIX}*"]}


def test_pings_and_new_connections_have_limits_of_their_own() -> None:
    assert one(chat(), Stage).route_settings == (("$connect", "20/s, burst 200"), ("ping", "20/s, burst 200"))
    large = {"throttle_rate": 1000.0, "throttle_burst": 500, "connect_rate": 33.0}
    assert one(chat(stage=large), Stage).route_settings == (
        ("$connect", "33/s, burst 500"),
        ("ping", "200/s, burst 500"),
    )


def test_stage_deployed_before_gets_exactly_these_limits() -> None:
    stage: Stage = one(chat(), Stage)
    before = dataclasses.replace(stage, route_settings=())
    assert [(each.name, each.before, each.after) for each in fields(Update(before, stage))] == [
        ("route_settings.$connect", "", "20/s, burst 200"),
        ("route_settings.ping", "", "20/s, burst 200"),
    ]


def test_limits_of_the_stage_are_no_part_of_a_release() -> None:
    """A chat that exists keeps its release when only they change."""
    assert release_name(chat()) == release_name(chat(stage={"ping_rate": 1.0, "connect_rate": 2.0}))


def test_every_route_has_an_integration_and_only_ping_is_a_mock() -> None:
    state = chat()
    routes = {each.name: each for each in state.values() if isinstance(each, Route)}
    assert set(routes) == {"$connect", "$disconnect", "$default", "onMessage", "ping"} == set(ROUTES)
    assert all(("integration", each.integration) in state for each in routes.values())
    assert [name for name, each in routes.items() if each.answers] == ["ping"]


def test_functions_post_to_the_address_that_is_right_for_the_place() -> None:
    for place, url in (
        (PLACE, "https://abc123.execute-api.us-east-2.amazonaws.com/production"),
        (SANDBOX, "http://127.0.0.1:4566/_aws/execute-api/abc123/production"),
    ):
        function: Function = one(chat(place), Function, "nwchat-ninjawars-message")
        assert dict(function.environment)["NWCHAT_ENDPOINT"] == url
    assert PLACE.websocket_url("abc123", "production") == (
        "wss://abc123.execute-api.us-east-2.amazonaws.com/production"
    )
    assert SANDBOX.websocket_url("abc123", "p") == "ws://127.0.0.1:4566/_aws/execute-api/abc123/p"
    china = Location("1", "cn-north-1", partition="aws-cn", dns_suffix="amazonaws.com.cn")
    assert china.websocket_url("a", "p") == "wss://a.execute-api.cn-north-1.amazonaws.com.cn/p"


def test_settings_arrive_where_they_belong() -> None:
    state = chat(
        stage={"name": "test", "throttle_rate": 20.0}, functions={"memory_mb": 512}, tags={"team": "a"}
    )
    stage: Stage = one(state, Stage)
    assert (stage.name, stage.throttle_rate, stage.throttle_burst) == ("test", 20.0, 200)
    function: Function = one(state, Function, "nwchat-ninjawars-connect")
    assert function.memory_mb == 512
    assert dict(function.tags) == {"team": "a", "nwchat:chat": "ninjawars", "nwchat:managed-by": "nwchatctl"}


def test_access_logs_are_a_group_and_a_line_a_request() -> None:
    off, on = chat(), chat(logs={"access": True, "retention_days": 7})
    name = "/aws/apigateway/nwchat-ninjawars-access"
    assert on.keys() - off.keys() == {("log-group", name)}
    group: LogGroup = one(on, LogGroup, name)
    assert (group.retention_days, dict(group.tags)["nwchat:chat"]) == (7, "ninjawars")
    stage: Stage = one(on, Stage)
    assert stage.access_log == f"arn:aws:logs:us-east-2:123456789012:log-group:{name}"
    assert dataclasses.replace(stage, access_log="", access_format="") == one(off, Stage)
    assert release_name(on) == release_name(off)


def test_a_line_of_the_access_log_holds_nothing_that_was_sent() -> None:
    assert "\n" not in FORMAT
    line: dict[str, str] = json.loads(FORMAT)
    # API Gateway asks for this one at least.
    assert line["requestId"] == "$context.requestId"
    assert all(each.startswith("$context.") for each in line.values())
    words = ("query", "header", "body", "path", "authorizer", "useragent", "messageid")
    assert not [each for each in line.values() if any(word in each.lower() for word in words)]


def test_a_release_is_the_code_and_the_routes() -> None:
    assert release_name(chat()) == release_name(chat())
    assert release_name(chat(code="other")) != release_name(chat())
    assert release_name(chat(stage={"throttle_rate": 1.0})) == release_name(chat())
    assert release_name(chat(tags={"team": "a"})) == release_name(chat())


def test_a_fingerprint_does_not_depend_on_order() -> None:
    a, b = Deployment("a"), Deployment("b")
    assert fingerprint([a, b]) == fingerprint([b, a]) != fingerprint([a])


def test_names_stay_within_what_the_operators_policy_allows_and_aws_accepts() -> None:
    names = ResourceNames("x" * 24)
    assert names.access_log.startswith("/aws/apigateway/nwchat-")
    every = [names.api, names.connections, names.messages, *map(names.function, FUNCTIONS)]
    assert all(each.startswith("nwchat-") and len(each) <= 64 for each in every)
