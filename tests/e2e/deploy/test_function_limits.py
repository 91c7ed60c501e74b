"""Reserved concurrency, the account's limits, and functions whose role was created again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox

RESERVED = "NWCHAT_FANOUT__RESERVED_CONCURRENCY"


@pytest.fixture(scope="module")
def chat(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-limits", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


def reserved(chat: Operator) -> int | None:
    found = chat.root("lambda").get_function_concurrency(FunctionName=chat.resource_name("fanout"))
    count: int | None = found.get("ReservedConcurrentExecutions")
    return count


def test_reserved_concurrency_is_set_kept_and_removed(chat: Operator) -> None:
    (change,) = chat.deploy(**{RESERVED: "7"})["changes"]
    assert change["fields"] == [{"name": "reserved_concurrency", "before": None, "after": "7"}]
    assert reserved(chat) == 7
    assert chat.plan(**{RESERVED: "7"}) == []
    # As if it had been set by hand: nothing is changed, and it is said.
    ran = chat.run("deploy", "--yes")
    assert "0 changes made" in ran.out or "nothing" in ran.out.lower()
    assert "e2e-limits-fanout has a reserved concurrency of 7 without a setting: it is kept" in ran.err
    assert "it is kept" in chat.run("status").err
    chat.deploy(**{RESERVED: "none"})
    assert reserved(chat) is None
    assert "it is kept" not in chat.run("status").err


def test_reservation_beyond_the_quota_changes_nothing(chat: Operator) -> None:
    ran = chat.run("deploy", "--yes", **{RESERVED: "901"})
    assert ran.error is not None
    assert (ran.code, ran.error.code) == (3, "quota")
    assert "this account can reserve 900" in ran.error.message
    assert ran.writes == []
    # `status` is about what is there.
    assert chat.run("status", **{RESERVED: "901"}).code == 0


def test_environment_beyond_4_kb_changes_nothing(chat: Operator) -> None:
    origins = ",".join(f"https://{number}.{'x' * 60}.example" for number in range(60))
    ran = chat.run("deploy", "--yes", NWCHAT_CHAT__ALLOWED_ORIGINS=origins)
    assert ran.error is not None
    assert (ran.code, ran.error.code, ran.writes) == (3, "environment_too_large", [])
    assert "example" not in ran.error.message


@pytest.mark.parametrize("argv", [("deploy", "--dry-run"), ("status",)])
def test_settings_beyond_the_account_are_warned_of(chat: Operator, argv: tuple[str, ...]) -> None:
    ran = chat.run(*argv, NWCHAT_STAGE__THROTTLE_RATE="20000")
    assert ran.code == 0
    assert "this account runs 1000 functions at once, and these settings may need 2006" in ran.err
    assert "stage.throttle_rate is 20000, and the account takes 10000 requests a second" in ran.err
    assert "functions at once" not in chat.run(*argv).err


def test_function_of_a_role_created_again_runs_after_a_deploy(chat: Operator) -> None:
    iam, name = chat.root("iam"), chat.role_name("disconnect")
    role = iam.get_role(RoleName=name)["Role"]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(role["AssumeRolePolicyDocument"]),
        PermissionsBoundary=role["PermissionsBoundary"]["PermissionsBoundaryArn"],
        Tags=role["Tags"],
    )
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    # All is as it was, but for the role's id.
    stale = chat.run("invoke", "disconnect")
    assert stale.error is not None
    assert (stale.error.code, stale.error.hint) == ("kms_access_denied", "run `nwchatctl deploy`")
    assert {(each["kind"], each["name"]) for each in chat.plan()} == {
        ("function", chat.resource_name("disconnect")),
        ("alias", f"{chat.resource_name('disconnect')}:live"),
    }
    chat.deploy()
    assert chat.run("invoke", "disconnect").code == 0
    assert chat.plan() == []
