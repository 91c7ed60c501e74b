"""Changes to a chat that are made in the console, not by the tool."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from tests.e2e.support.operator import ACCOUNT, Operator

ConsoleChange = Callable[[Operator], object]

STRAY = {"stray": "tag"}
STRAYS = [{"Key": "stray", "Value": "tag"}]


def function(**settings: Any) -> ConsoleChange:
    def apply(chat: Operator) -> None:
        client, name = chat.root("lambda"), chat.resource_name("message")
        client.update_function_configuration(FunctionName=name, **settings)

    return apply


def function_shrunk(chat: Operator) -> None:
    function(MemorySize=128)(chat)


def environment(chat: Operator) -> None:
    client, name = chat.root("lambda"), chat.resource_name("message")
    variables = client.get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name,
        Environment={"Variables": {**variables, "NWCHAT_RATE_MESSAGES": "999", "MORE": "x"}},
    )


def archive(source: str) -> bytes:
    """A function's zip with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("nwchat/message.py", source)
    return buffer.getvalue()


def code_changed(chat: Operator) -> None:
    chat.root("lambda").update_function_code(
        FunctionName=chat.resource_name("message"), ZipFile=archive("x = 1")
    )


def alias_moved(chat: Operator) -> None:
    """The live alias runs a version with half the memory; $LATEST is as it was."""
    client, name = chat.root("lambda"), chat.resource_name("message")
    client.update_function_configuration(FunctionName=name, MemorySize=128)
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_function_configuration(FunctionName=name, MemorySize=256)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def alias_shared(chat: Operator) -> None:
    """A tenth of the calls goes to another version."""
    client, name = chat.root("lambda"), chat.resource_name("message")
    client.update_function_configuration(FunctionName=name, MemorySize=128)
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_function_configuration(FunctionName=name, MemorySize=256)
    client.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {version: 0.1}}
    )


def permission_moved(chat: Operator) -> None:
    """Another API may invoke the function, and this one may not."""
    client = chat.root("lambda")
    wanted = {
        "FunctionName": chat.resource_name("message"),
        "Qualifier": "live",
        "StatementId": "nwchat-default",
    }
    client.remove_permission(**wanted)
    client.add_permission(
        **wanted,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=chat.arn("execute-api", "another1/*/*"),
    )


def policy_widened(chat: Operator) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*", "Sid": "Connections"}
    chat.root("iam").put_role_policy(
        RoleName=chat.role_name("connect"),
        PolicyName="nwchat",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )


def trust_widened(chat: Operator) -> None:
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    }
    chat.root("iam").update_assume_role_policy(
        RoleName=chat.role_name("connect"),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )


def policy_inlined(chat: Operator) -> None:
    some = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    chat.root("iam").put_role_policy(
        RoleName=chat.role_name("connect"),
        PolicyName="extra",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [some]}),
    )


MANAGED = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def policy_attached(chat: Operator) -> None:
    chat.root("iam").attach_role_policy(RoleName=chat.role_name("connect"), PolicyArn=MANAGED)


def boundary_removed(chat: Operator) -> None:
    chat.root("iam").delete_role_permissions_boundary(RoleName=chat.role_name("connect"))


def boundary_replaced(chat: Operator) -> None:
    chat.root("iam").put_role_permissions_boundary(
        RoleName=chat.role_name("connect"), PermissionsBoundary=MANAGED
    )


def route(key: str, **settings: Any) -> ConsoleChange:
    def apply(chat: Operator) -> None:
        chat.api.update_route(ApiId=chat.api_id, RouteId=chat.route(key)["RouteId"], **settings)

    return apply


def route_retargeted(chat: Operator) -> None:
    target = f"integrations/{chat.integration('connect')}"
    route("onMessage", Target=target)(chat)


def route_deleted(chat: Operator) -> None:
    chat.api.delete_route(ApiId=chat.api_id, RouteId=chat.route("onMessage")["RouteId"])


def route_added(chat: Operator) -> None:
    target = f"integrations/{chat.integration('message')}"
    chat.api.create_route(ApiId=chat.api_id, RouteKey="extra", Target=target)


def route_response_deleted(chat: Operator) -> None:
    wanted = {"ApiId": chat.api_id, "RouteId": chat.route("ping")["RouteId"]}
    for each in chat.api.get_route_responses(**wanted)["Items"]:
        chat.api.delete_route_response(**wanted, RouteResponseId=each["RouteResponseId"])


def integration(name: str, **settings: Any) -> ConsoleChange:
    def apply(chat: Operator) -> None:
        chat.api.update_integration(ApiId=chat.api_id, IntegrationId=chat.integration(name), **settings)

    return apply


def integration_latest(chat: Operator) -> None:
    arn = chat.arn("lambda", f"function:{chat.resource_name('message')}")
    uri = f"arn:aws:apigateway:us-east-2:lambda:path/2015-03-31/functions/{arn}/invocations"
    integration("message", IntegrationUri=uri)(chat)


def response(chat: Operator) -> dict[str, str]:
    wanted = {"ApiId": chat.api_id, "IntegrationId": chat.integration("ping")}
    (found,) = chat.api.get_integration_responses(**wanted)["Items"]
    return {**wanted, "IntegrationResponseId": found["IntegrationResponseId"]}


def response_changed(chat: Operator) -> None:
    chat.api.update_integration_response(**response(chat), ResponseTemplates={"200": '{"type":"gnop"}'})


def response_deleted(chat: Operator) -> None:
    chat.api.delete_integration_response(**response(chat))


def integration_added(chat: Operator) -> None:
    chat.api.create_integration(ApiId=chat.api_id, IntegrationType="MOCK", Description="nwchatctl:extra")


def stage(**settings: Any) -> ConsoleChange:
    return lambda chat: chat.api.update_stage(ApiId=chat.api_id, StageName="production", **settings)


def route_changed_with_auto_deploy(chat: Operator) -> None:
    """The stage serves the change at once."""
    stage(AutoDeploy=True)(chat)
    route_retargeted(chat)


def route_settings_deleted(route_key: str) -> ConsoleChange:
    return lambda chat: chat.api.delete_route_settings(
        ApiId=chat.api_id, StageName="production", RouteKey=route_key
    )


def deployment_added(chat: Operator) -> None:
    chat.api.create_deployment(ApiId=chat.api_id, Description="by hand")


def stage_redeployed(chat: Operator) -> None:
    made = chat.api.create_deployment(ApiId=chat.api_id, Description="by hand")["DeploymentId"]
    stage(DeploymentId=made)(chat)


def api_tags(resource: str, **tags: str) -> ConsoleChange:
    def apply(chat: Operator) -> None:
        arn = f"arn:aws:apigateway:us-east-2::/apis/{chat.api_id}{resource}"
        chat.api.tag_resource(ResourceArn=arn, Tags=tags)

    return apply


def tag_api(chat: Operator) -> None:
    api_tags("", **STRAY)(chat)


def delete_stage(chat: Operator) -> None:
    chat.api.delete_stage(ApiId=chat.api_id, StageName="production")


def untag_stage(chat: Operator) -> None:
    arn = f"arn:aws:apigateway:us-east-2::/apis/{chat.api_id}/stages/production"
    chat.api.untag_resource(ResourceArn=arn, TagKeys=["nwchat:managed-by"])


def table_arn(chat: Operator, thing: str) -> str:
    return chat.arn("dynamodb", f"table/{chat.resource_name(thing)}")


def expiry_off(chat: Operator) -> None:
    chat.root("dynamodb").update_time_to_live(
        TableName=chat.resource_name("connections"),
        TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"},
    )


def recovery_off(chat: Operator) -> None:
    chat.root("dynamodb").update_continuous_backups(
        TableName=chat.resource_name("messages"),
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )


def protection_off(chat: Operator) -> None:
    chat.root("dynamodb").update_table(
        TableName=chat.resource_name("messages"), DeletionProtectionEnabled=False
    )


def billing_provisioned(chat: Operator) -> None:
    chat.root("dynamodb").update_table(
        TableName=chat.resource_name("connections"),
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )


def tag_table(chat: Operator) -> None:
    chat.root("dynamodb").tag_resource(ResourceArn=table_arn(chat, "connections"), Tags=STRAYS)


def delete_table(chat: Operator) -> None:
    chat.root("dynamodb").delete_table(TableName=chat.resource_name("connections"))


def tag_role(chat: Operator) -> None:
    chat.root("iam").tag_role(RoleName=chat.role_name("connect"), Tags=STRAYS)


def delete_role(chat: Operator) -> None:
    client, role = chat.root("iam"), chat.role_name("connect")
    client.delete_role_policy(RoleName=role, PolicyName="nwchat")
    client.delete_role(RoleName=role)


def tag_function(chat: Operator) -> None:
    arn = chat.arn("lambda", f"function:{chat.resource_name('message')}")
    chat.root("lambda").tag_resource(Resource=arn, Tags=STRAY)


def delete_function(chat: Operator) -> None:
    chat.root("lambda").delete_function(FunctionName=chat.resource_name("connect"))


def delete_alias(chat: Operator) -> None:
    chat.root("lambda").delete_alias(FunctionName=chat.resource_name("connect"), Name="live")


def remove_permission(chat: Operator) -> None:
    chat.root("lambda").remove_permission(
        FunctionName=chat.resource_name("connect"), Qualifier="live", StatementId="nwchat-connect"
    )


def group_arn(chat: Operator) -> str:
    return chat.arn("logs", f"log-group:{chat.log_group('connect')}")


def tag_group(chat: Operator) -> None:
    chat.root("logs").tag_resource(resourceArn=group_arn(chat), tags=STRAY)


def untag_group(chat: Operator) -> None:
    chat.root("logs").untag_resource(resourceArn=group_arn(chat), tagKeys=["nwchat:chat"])


def retain_longer(chat: Operator) -> None:
    chat.root("logs").put_retention_policy(logGroupName=chat.log_group("connect"), retentionInDays=365)


def retain_for_ever(chat: Operator) -> None:
    chat.root("logs").delete_retention_policy(logGroupName=chat.log_group("connect"))


def delete_group(chat: Operator) -> None:
    chat.root("logs").delete_log_group(logGroupName=chat.log_group("connect"))


def api(**settings: Any) -> ConsoleChange:
    return lambda chat: chat.api.update_api(ApiId=chat.api_id, **settings)
