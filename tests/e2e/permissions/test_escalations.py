"""What whoever has the policies `deploy`, `domain` and `run` cannot do: become more than the boundary of the
functions' roles allows, and touch what is not the chat's.

Each attack is denied by the policies as they are. Where a condition denies it, the same call is not denied
without that condition, so that the test is about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from nwchatctl.deploy.desired.policies import lambda_trust
from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.attacks import (
    ATTACKS,
    CONNECT,
    CONNECT_ROLE,
    FOREIGN_TRUST,
    OWN_TAG,
    POLICY,
    ROLE,
    TAGS,
    UNTAGGED,
    Attack,
)
from tests.e2e.support.foreign import BOUNDARY, CHAT, EVERYTHING, STRANGER, World, guarded_chat, zipped
from tests.e2e.support.operator import ACCOUNT, Operator
from tests.e2e.support.policies import attached, policy_name
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("home")
    with guarded_chat(Operator(sandbox, CHAT, home, NWCHAT_AUTH__MODE="token")) as made:
        yield made


def denied_action(call: Callable[[], object]) -> str:
    """The action that the call is denied; "" when it is not denied, whatever else is wrong with it."""
    try:
        call()
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("AccessDenied"):
            return ""
        return error.response["Error"]["Message"].partition("perform: ")[2].split(" ")[0]
    return ""


def without_condition(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    found = [each for each in policy["Statement"] if each["Sid"] == sid]
    assert [each for each in found if "Condition" in each], sid
    kept = [
        {key: value for key, value in each.items() if key != "Condition"} if each in found else each
        for each in policy["Statement"]
    ]
    return {**policy, "Statement": kept}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_it_is_denied(world: World, attack: Attack) -> None:
    assert denied_action(lambda: attack.call(world)) == attack.action
    if not attack.sid:
        return
    lax = without_condition(world.documents[attack.policy], attack.sid)
    with world.chat.allowed(lax, policy_name(attack.policy)):
        assert denied_action(lambda: attack.call(world)) == ""
    _undo(world)


def _undo(world: World) -> None:
    """Removes what an attack made once its condition was gone."""
    iam_, lambda_ = world.root("iam"), world.root("lambda")
    with suppress(iam_.exceptions.NoSuchEntityException):
        for name in iam_.list_role_policies(RoleName=ROLE)["PolicyNames"]:
            iam_.delete_role_policy(RoleName=ROLE, PolicyName=name)
        iam_.delete_role(RoleName=ROLE)
    iam_.put_role_permissions_boundary(RoleName=CONNECT_ROLE, PermissionsBoundary=BOUNDARY)
    with suppress(iam_.exceptions.NoSuchEntityException):
        iam_.delete_role_policy(RoleName=UNTAGGED, PolicyName="nwchat")
    with suppress(lambda_.exceptions.ResourceNotFoundException):
        lambda_.delete_function(FunctionName=ROLE)
    with suppress(lambda_.exceptions.ResourceNotFoundException):
        lambda_.remove_permission(FunctionName=CONNECT, StatementId="evil")


@pytest.mark.parametrize(
    "attack",
    [
        each
        for each in ATTACKS
        if each.action in ("iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion")
    ],
    ids=lambda attack: attack.id,
)
def test_the_boundary_stays_whatever_else_is_allowed(world: World, attack: Attack) -> None:
    """An explicit deny, which no other policy of the operator lifts."""
    again = {f"{name}-again": each for name, each in world.documents.items()}
    with attached(world.root("iam"), {**again, "all": EVERYTHING}):
        assert denied_action(lambda: attack.call(world)) == attack.action
        for method, parameters in (
            ("delete_policy_version", {"VersionId": "v1"}),
            ("set_default_policy_version", {"VersionId": "v1"}),
            ("delete_policy", {}),
        ):
            call = partial(getattr(world.own("iam"), method), PolicyArn=BOUNDARY, **parameters)
            assert denied_action(call)


# What a role can do that has every permission -----------------------------------------------------

PROBE = """
import boto3

def y(event, context):
    done = {}
    for service, method, parameters in event["calls"]:
        try:
            getattr(boto3.client(service), method)(**parameters)
            done[f"{service}:{method}"] = ""
        except Exception as error:
            done[f"{service}:{method}"] = error.response["Error"]["Code"]
    return done
"""


def test_a_role_with_every_permission_does_no_more_than_the_boundary(world: World) -> None:
    iam_, lambda_ = world.own("iam"), world.own("lambda")
    iam_.create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=lambda_trust(ACCOUNT), PermissionsBoundary=BOUNDARY, Tags=TAGS
    )
    iam_.put_role_policy(RoleName=ROLE, **POLICY)
    lambda_.create_function(
        FunctionName=ROLE,
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        Handler="x.y",
        Code={"ZipFile": zipped(PROBE)},
        Timeout=25,
        Tags=OWN_TAG,
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=ROLE, WaiterConfig={"Delay": 1})
    calls = [
        ("dynamodb", "scan", {"TableName": world.chat.resource_name("connections")}),
        ("dynamodb", "get_item", {"TableName": "foreign", "Key": {"connection_id": {"S": "x"}}}),
        ("dynamodb", "describe_table", {"TableName": world.chat.resource_name("deploys")}),
        ("iam", "list_users", {}),
        ("iam", "put_role_policy", {"RoleName": ROLE, **POLICY}),
        ("lambda", "list_functions", {}),
        ("ssm", "get_parameter", {"Name": "/site/secret"}),
    ]
    answer = lambda_.invoke(FunctionName=ROLE, Payload=json.dumps({"calls": calls}).encode())
    done = json.loads(answer["Payload"].read())
    _undo(world)
    assert done.pop("dynamodb:scan") == ""
    assert set(done.values()) <= {"AccessDenied", "AccessDeniedException"}, done
    assert len(done) == len(calls) - 1


def test_a_role_that_another_account_may_assume_is_of_no_use_to_it(world: World) -> None:
    """IAM has no condition about what a trust policy says. So the boundary asks for Lambda's mark on the
    credentials. The stranger is a user here, as the emulator has one account."""
    who = f"arn:aws:iam::{ACCOUNT}:user/{STRANGER}"
    trust = FOREIGN_TRUST.replace("arn:aws:iam::111122223333:root", who)
    own, root = world.own("iam"), world.root("iam")
    own.put_role_policy(RoleName=CONNECT_ROLE, **POLICY)
    own.update_assume_role_policy(RoleName=CONNECT_ROLE, PolicyDocument=trust)
    session = _assumed(world.chat.sandbox, root.create_access_key(UserName=STRANGER)["AccessKey"])

    def scan() -> object:
        return session("dynamodb").scan(TableName=world.chat.resource_name("connections"))

    try:
        assert denied_action(scan) == "dynamodb:Scan"
        assert denied_action(lambda: session("ssm").get_parameter(Name=f"/nwchat-{CHAT}/token-keys"))
        assert denied_action(lambda: session("lambda").invoke(FunctionName=CONNECT))
        assert denied_action(lambda: session("iam").list_users())
        root.delete_role_permissions_boundary(RoleName=CONNECT_ROLE)
        assert denied_action(scan) == ""
    finally:
        root.put_role_permissions_boundary(RoleName=CONNECT_ROLE, PermissionsBoundary=BOUNDARY)
    # A deploy takes the trust back.
    world.chat.deploy()
    role = root.get_role(RoleName=CONNECT_ROLE)["Role"]["AssumeRolePolicyDocument"]
    assert role == json.loads(lambda_trust(ACCOUNT))


def test_lambda_sends_failed_events_only_within_the_boundary(world: World) -> None:
    """Lambda asks when it is told where failed events go; its call carries no ARN of the function."""
    iam, functions = world.root("iam"), world.root("lambda")
    name, role = world.chat.resource_name("fanout"), world.chat.role_name("fanout")
    where = {"FunctionName": name, "Qualifier": "live"}
    destination = functions.get_function_event_invoke_config(**where)["DestinationConfig"]

    def put() -> None:
        functions.put_function_event_invoke_config(
            **where, DestinationConfig=destination, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=3600
        )

    put()
    iam.put_role_permissions_boundary(
        RoleName=role, PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess"
    )
    try:
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            put()
    finally:
        iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=BOUNDARY)
    put()


def _assumed(sandbox: Sandbox, key: dict[str, str]) -> Callable[[str], Any]:
    def client(service: str, **keys: Any) -> Any:
        make: Any = boto3.session.Session(region_name=DEFAULT_REGION, **keys).client
        return make(service, endpoint_url=sandbox.endpoint, config=Config(proxies={}))

    stranger = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    arn = f"arn:aws:iam::{ACCOUNT}:role/{CONNECT_ROLE}"
    got = client("sts", **stranger).assume_role(RoleArn=arn, RoleSessionName=CONNECT)["Credentials"]
    keys = {
        "aws_access_key_id": got["AccessKeyId"],
        "aws_secret_access_key": got["SecretAccessKey"],
        "aws_session_token": got["SessionToken"],
    }
    return lambda service: client(service, **keys)


def test_a_function_needs_a_role_that_trusts_lambda_for_this_account(world: World) -> None:
    """As AWS refuses it; an emulator takes any role."""
    root = world.root("iam")
    for trust, trusted in (
        (lambda_trust("111122223333"), False),
        (FOREIGN_TRUST, False),
        (lambda_trust(), True),
    ):
        root.update_assume_role_policy(RoleName=UNTAGGED, PolicyDocument=trust)
        call = world.root("lambda").update_function_configuration
        role = f"arn:aws:iam::{ACCOUNT}:role/{UNTAGGED}"
        try:
            call(FunctionName=UNTAGGED, Role=role)
        except ClientError as error:
            assert "cannot be assumed by Lambda" in error.response["Error"]["Message"]
            assert not trusted
        else:
            assert trusted
