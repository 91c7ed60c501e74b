"""The permissions boundary of the roles: set later, required by the deploy policy, removed by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.foreign import BOUNDARY, EVERYTHING
from tests.e2e.support.operator import Operator
from tests.e2e.support.policies import document
from tests.e2e.support.sandbox import Sandbox

NONE = {"NWCHAT_FUNCTIONS__PERMISSIONS_BOUNDARY": "none"}


@pytest.fixture
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-bound", tmp_path_factory.mktemp("home"))
    yield made
    made.destroy()


def boundaries(operator: Operator) -> set[str]:
    iam = operator.root("iam")
    roles = [each for each in operator.resources() if each.startswith("role ")]
    assert roles
    found = [iam.get_role(RoleName=each.partition(" ")[2])["Role"] for each in roles]
    return {each.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "") for each in found}


def test_a_boundary_is_given_to_a_chat_that_has_none(operator: Operator) -> None:
    """As by an administrator before, and with the deploy policy since."""
    with operator.holding(all=EVERYTHING):
        release = operator.deploy(**NONE)["release"]
    assert boundaries(operator) == {""}
    with operator.holding(deploy=document("deploy")):
        changes = operator.plan()
        assert {(each["action"], each["kind"]) for each in changes} == {("update", "role")}
        deployed = operator.deploy()
        assert operator.plan() == []
    assert (deployed["release"], boundaries(operator)) == (release, {BOUNDARY})
    assert operator.json("smoke")["ok"] is True

    # The way back is an administrator's.
    with operator.holding(deploy=document("deploy")):
        ran = operator.run("deploy", "--yes", **NONE)
        assert ran.error is not None
        assert (ran.code, ran.error.code) == (3, "access_denied")
        assert "iam:DeleteRolePermissionsBoundary" in ran.error.message
    assert boundaries(operator) == {BOUNDARY}
    with operator.holding(all=EVERYTHING):
        operator.deploy(**NONE)
    assert boundaries(operator) == {""}


def test_without_the_setting_the_deploy_policy_makes_no_role(operator: Operator) -> None:
    with operator.holding(deploy=document("deploy")):
        ran = operator.run("deploy", "--yes", **NONE)
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (3, "access_denied")
    assert "iam:CreateRole" in ran.error.message
    assert "functions.permissions_boundary" in ran.error.hint
    assert not [each for each in operator.resources() if each.startswith("role ")]
