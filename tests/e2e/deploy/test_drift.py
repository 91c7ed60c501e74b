"""What somebody changes by hand is seen, attribute by attribute, and repaired; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.console import core, queue
from tests.e2e.support.drift_cases import DRIFTS, Drift, check_repair
from tests.e2e.support.operator import Operator
from tests.e2e.support.sandbox import Sandbox


@pytest.fixture(scope="module")
def operator(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    made = Operator(sandbox, "e2e-drift", tmp_path_factory.mktemp("home"))
    made.deploy()
    yield made
    made.destroy()


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.id)
def test_drift_is_shown_and_repaired(operator: Operator, drift: Drift) -> None:
    check_repair(operator, drift)


FOREIGN = {"backup": "daily"}
LISTED = [{"Key": key, "Value": value} for key, value in FOREIGN.items()]


def protect(operator: Operator) -> None:
    """What a careful colleague adds: tags for backups and costs, and protections."""
    tables, name = operator.root("dynamodb"), operator.resource_name("connections")
    tables.tag_resource(ResourceArn=core.table_arn(operator, "connections"), Tags=LISTED)
    tables.update_table(TableName=name, DeletionProtectionEnabled=True)
    tables.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    operator.root("iam").tag_role(RoleName=operator.role_name("connect"), Tags=LISTED)
    operator.root("logs").tag_resource(resourceArn=core.group_arn(operator), tags=FOREIGN)
    function = operator.arn("lambda", f"function:{operator.resource_name('message')}")
    operator.root("lambda").tag_resource(Resource=function, Tags=FOREIGN)
    for part in ("", "/stages/production"):
        core.api_tags(part, **FOREIGN)(operator)
    operator.root("sqs").tag_queue(QueueUrl=queue.url(operator), Tags=FOREIGN)
    queue.queue(SqsManagedSseEnabled="false", KmsMasterKeyId="alias/mine")(operator)


def tags_and_protections(operator: Operator) -> dict[str, object]:
    tables, arn = operator.root("dynamodb"), core.table_arn(operator, "connections")
    table = tables.describe_table(TableName=operator.resource_name("connections"))["Table"]
    role = operator.root("iam").get_role(RoleName=operator.role_name("connect"))["Role"]
    logs, function = operator.root("logs"), operator.resource_name("message")
    attributes = operator.root("sqs").get_queue_attributes(
        QueueUrl=queue.url(operator), AttributeNames=["All"]
    )["Attributes"]
    (stage,) = operator.api.get_stages(ApiId=operator.api_id)["Items"]
    return {
        "table": {
            each["Key"]: each["Value"] for each in tables.list_tags_of_resource(ResourceArn=arn)["Tags"]
        },
        "role": {each["Key"]: each["Value"] for each in role["Tags"]},
        "group": logs.list_tags_for_resource(resourceArn=core.group_arn(operator))["tags"],
        "function": operator.root("lambda").get_function(FunctionName=function)["Tags"],
        "api": operator.api.get_api(ApiId=operator.api_id)["Tags"],
        "stage": stage["Tags"],
        "queue": operator.root("sqs").list_queue_tags(QueueUrl=queue.url(operator))["Tags"],
        "protected": table["DeletionProtectionEnabled"],
        "key": attributes["KmsMasterKeyId"],
    }


def test_protections_and_tags_of_others_stay(operator: Operator) -> None:
    """They are not in the plan either, and no update of the same resources takes them away."""
    protect(operator)
    before = tags_and_protections(operator)
    assert operator.plan() == []
    assert operator.deploy(NWCHAT_TAGS__cost="a")["applied"] == 22
    assert operator.plan(NWCHAT_TAGS__cost="a") == []
    assert operator.deploy()["applied"] == 22
    assert operator.plan() == []
    assert tags_and_protections(operator) == before
    assert all(FOREIGN.items() <= tags.items() for tags in before.values() if isinstance(tags, dict))
    backups = operator.root("dynamodb").describe_continuous_backups(
        TableName=operator.resource_name("connections")
    )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert (before["protected"], before["key"]) == (True, "alias/mine")
    assert backups["PointInTimeRecoveryStatus"] == "ENABLED"


def test_deleted_api_is_created_again(operator: Operator) -> None:
    """With another id, which roles, permissions and the functions' environment have to follow."""
    old = operator.api_id
    operator.api.delete_api(ApiId=old)
    changes = operator.deploy()["changes"]
    kinds = {(each["action"], each["kind"]) for each in changes}
    made = {"api", "deployment", "integration", "route", "stage"}
    moved = {"alias", "function", "permission", "role"}
    assert kinds == {("create", each) for each in made} | {("update", each) for each in moved}
    assert operator.plan() == []
    assert operator.api_id != old
    assert operator.json("smoke")["ok"] is True


def test_status_names_what_differs(operator: Operator) -> None:
    DRIFTS[0].apply(operator)
    ran = operator.run("status", "--all")
    assert "route/onMessage\tdiffers" in ran.out.splitlines()
    states = operator.json("status")["resource_states"]
    assert [each for each in states if each["state"] != "ok"] == [
        {"kind": "route", "name": "onMessage", "state": "differs"}
    ]
    ran = operator.run("status")
    assert "state\tdiffers: 1 to update" in ran.out.splitlines()
    assert "\tok" not in ran.out
    # Whatever the routes say, the stage serves what was deployed.
    assert f"release\t{operator.json('releases')['releases'][0]['id']}" in ran.out.splitlines()
    assert "~ route onMessage  integration connect → message" in ran.out.splitlines()
    operator.deploy()
