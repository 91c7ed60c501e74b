"""Functions in a VPC, with the permissions that AWS asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nwchatctl.iam_templates import boundary_name
from tests.e2e.support import policies
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

SETTINGS = {
    "NWCHAT_FUNCTIONS__SUBNETS": "subnet-00000001,subnet-00000002",
    "NWCHAT_FUNCTIONS__SECURITY_GROUPS": "sg-00000001",
}
HERE = (["subnet-00000001", "subnet-00000002"], ["sg-00000001"])


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-vpc", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def network(chat: Operator, short: str, qualifier: str = "$LATEST") -> tuple[Any, Any]:
    client = chat.root("lambda")
    found = client.get_function(FunctionName=chat.resource_name(short), Qualifier=qualifier)
    config = found["Configuration"].get("VpcConfig") or {}
    return config.get("SubnetIds", []), config.get("SecurityGroupIds", [])


def test_functions_go_into_a_vpc_stay_there_and_leave_it(chat: Operator) -> None:
    refused = chat.run("deploy", "--yes", **SETTINGS)
    assert refused.error is not None
    assert (refused.code, "ec2:Describe" in refused.error.message) == (3, True), refused.error
    documents = {name: policies.document(name) for name in ("deploy", "vpc")}
    with chat.holding(**documents):
        chat.deploy(**SETTINGS)
        assert network(chat, "message") == network(chat, "message", "live") == HERE
        assert chat.plan(**SETTINGS) == []
        # As if it had been set by hand: another change leaves it, and it is said.
        changed = chat.run("deploy", "--yes", NWCHAT_FUNCTIONS__MEMORY_MB="512")
        assert changed.code == 0
        assert "runs in a VPC (subnet-00000001, subnet-00000002) without a setting" in changed.err
        assert network(chat, "connect", "live") == HERE
        chat.deploy(NWCHAT_FUNCTIONS__SUBNETS="none")
        assert network(chat, "message", "live") == ([], [])
        assert chat.plan(NWCHAT_FUNCTIONS__SUBNETS="none") == []
        chat.deploy()
        assert chat.plan() == []


@pytest.mark.parametrize(
    "action", ["CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"]
)
def test_the_boundary_allows_what_lambda_asks_for(chat: Operator, action: str) -> None:
    boundary = policies.without(policies.document("boundary", "*"), "Network", f"ec2:{action}")
    documents = {name: policies.document(name) for name in ("deploy", "vpc")}
    with chat.holding(**documents), chat.allowed(boundary, boundary_name("*")):
        refused = chat.run("deploy", "--yes", **SETTINGS)
    assert refused.error is not None
    assert f"does not have permissions to call {action} on EC2" in refused.error.message
    chat.deploy()


def test_lambda_refuses_a_vpc_where_the_role_may_not_connect(chat: Operator) -> None:
    client = chat.root("lambda")
    network = {"SubnetIds": ["subnet-00000001"], "SecurityGroupIds": ["sg-00000001"]}
    with pytest.raises(client.exceptions.InvalidParameterValueException) as caught:
        client.update_function_configuration(FunctionName=chat.resource_name("connect"), VpcConfig=network)
    text = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
    assert text in str(caught.value)
