"""What bears a name of ours but not our tags is somebody else's: nothing is touched or made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from nwchatctl.deploy.desired.policies import lambda_trust
from tests.e2e.support.console.core import archive
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-foreign", tmp_path_factory.mktemp("home"))
    yield made
    assert made.resources() == set()


def table(operator: Operator) -> Callable[[], object]:
    client, name = operator.root("dynamodb"), operator.resource_name("messages")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        # Tagged, but as another chat's.
        Tags=[{"Key": "nwchat:chat", "Value": "another"}, {"Key": "nwchat:managed-by", "Value": "nwchatctl"}],
    )
    return lambda: client.delete_table(TableName=name)


def role(operator: Operator) -> Callable[[], object]:
    client, name = operator.root("iam"), operator.role_name("connect")
    client.create_role(RoleName=name, AssumeRolePolicyDocument=lambda_trust())
    return lambda: client.delete_role(RoleName=name)


def function(operator: Operator) -> Callable[[], object]:
    client, name = operator.root("lambda"), operator.resource_name("message")
    iam = operator.root("iam")
    iam.create_role(RoleName="somebody-elses", AssumeRolePolicyDocument=lambda_trust())
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=operator.arn("iam", "role/somebody-elses"),
        Handler="x.y",
        Code={"ZipFile": archive("x = 1")},
        Tags={"nwchat:chat": operator.name},
    )
    return lambda: (client.delete_function(FunctionName=name), iam.delete_role(RoleName="somebody-elses"))


def queue(operator: Operator) -> Callable[[], object]:
    client, name = operator.root("sqs"), operator.resource_name("dead-letters")
    url = client.create_queue(QueueName=name, tags={"nwchat:chat": operator.name})["QueueUrl"]
    return lambda: client.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (queue, "queue nwchat-e2e-foreign-dead-letters"),
        (table, "table nwchat-e2e-foreign-messages"),
        (role, "role nwchat-e2e-foreign-connect-us-east-2"),
        (function, "function nwchat-e2e-foreign-message"),
    ],
)
def test_foreign_resource_is_refused(
    operator: Operator, make: Callable[[Operator], Callable[[], object]], named: str
) -> None:
    remove = make(operator)
    try:
        before = operator.resources()
        for argv in (["deploy", "--yes"], ["plan"], ["status"]):
            ran = operator.run(*argv)
            assert (ran.code, ran.writes) == (1, [])
            assert ran.error is not None
            assert (ran.error.code, ran.error.message) == (
                "not_ours",
                f"not this chat's, and in its way: {named}",
            )
            assert named.split()[1] in ran.error.hint.partition("put them back: aws --region us-east-2 ")[2]
        # Destroying is no reason to take it either.
        ran = operator.run("destroy", "--delete-data", "--confirm", operator.name, "--json")
        assert (ran.code, ran.writes, ran.data["changes"]) == (0, [], [])
        assert operator.resources() == before == {named}
    finally:
        remove()


def test_two_apis_with_tags_of_chat_are_an_error(operator: Operator) -> None:
    made = [
        operator.api.create_api(
            Name="whatever",
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action",
            Tags=operator.tags,
        )["ApiId"]
        for _ in range(2)
    ]
    try:
        for argv in (["deploy", "--yes"], ["plan"], ["status"], ["smoke"], ["destroy", "--yes"]):
            ran = operator.run(*argv)
            assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "api_ambiguous")
            assert ran.error is not None
            assert all(each in ran.error.message for each in made)
    finally:
        for each in made:
            operator.api.delete_api(ApiId=each)


def test_an_untagged_api_of_our_name_is_left_alone(operator: Operator) -> None:
    """Names of APIs are not unique: it is not even in the way."""
    other = operator.api.create_api(
        Name=f"nwchat-{operator.name}",
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
    )["ApiId"]
    try:
        assert operator.deploy()["applied"] == 48
        operator.destroy()
        assert operator.api.get_api(ApiId=other)["ApiId"] == other
        assert operator.resources() == {f"api nwchat-{operator.name}"}
    finally:
        operator.api.delete_api(ApiId=other)


def test_table_with_other_key_is_refused(operator: Operator) -> None:
    client, name = operator.root("dynamodb"), operator.resource_name("connections")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "connectionid", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "connectionid", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in operator.tags.items()],
    )
    try:
        ran = operator.run("deploy", "--yes")
        assert (ran.code, ran.writes, ran.error and ran.error.code) == (1, [], "table_key")
    finally:
        client.delete_table(TableName=name)


def test_a_foreign_statement_on_a_function_stays(operator: Operator) -> None:
    """Who else may invoke a function is not the chat's business."""
    operator.deploy()
    try:
        client, name = operator.root("lambda"), operator.resource_name("message")
        client.add_permission(
            FunctionName=name,
            Qualifier="live",
            StatementId="somebody-elses",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
        )
        assert operator.plan() == []
        policy = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
        assert "somebody-elses" in {each["Sid"] for each in policy["Statement"]}
    finally:
        operator.destroy()
