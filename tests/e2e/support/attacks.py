"""Calls that the operator's policies deny."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nwchatctl.deploy.desired.policies import lambda_trust
from nwchatctl.sandbox.state import DEFAULT_REGION
from tests.e2e.support.foreign import BOUNDARY, CHAT, EVERYTHING, NAME, OTHER_CHAT, OTHER_ROLE, World, zipped
from tests.e2e.support.operator import ACCOUNT


@dataclass(frozen=True)
class Attack:
    """`call` needs `action`, which is denied: by the condition of the statement `sid` of `policy`, or because
    no statement allows it ("")."""

    id: str
    action: str
    call: Callable[[World], object]
    policy: str = "deploy"
    sid: str = ""


def iam(method: str, **parameters: Any) -> Callable[[World], object]:
    return lambda world: getattr(world.own("iam"), method)(**parameters)


def functions(method: str, **parameters: Any) -> Callable[[World], object]:
    return lambda world: getattr(world.own("lambda"), method)(**parameters)


def gateway(method: str, **parameters: Any) -> Callable[[World], object]:
    """About the foreign API."""
    return lambda world: getattr(world.own("apigatewayv2"), method)(ApiId=world.api, **parameters)


def certificates(method: str, **parameters: Any) -> Callable[[World], object]:
    """About the foreign certificate."""
    return lambda world: getattr(world.own("acm"), method)(CertificateArn=world.certificate, **parameters)


def gateway_arn(path: str) -> str:
    return f"arn:aws:apigateway:{DEFAULT_REGION}::{path}"


def records(*sets: tuple[str, str], zone: str = "zone") -> Callable[[World], object]:
    """Upserts records of these names and types."""

    def upsert(world: World) -> None:
        changes = [
            {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": name,
                    "Type": kind,
                    "TTL": 60,
                    "ResourceRecords": [{"Value": {"A": "192.0.2.1", "TXT": '"x"'}.get(kind, "x.example")}],
                },
            }
            for name, kind in sets
        ]
        world.own("route53").change_resource_record_sets(
            HostedZoneId=getattr(world, zone), ChangeBatch={"Changes": changes}
        )

    return upsert


def make_function(role: str, **parameters: Any) -> Callable[[World], object]:
    return functions(
        "create_function",
        FunctionName=f"nwchat-{CHAT}-evil",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        Handler="x.y",
        Code={"ZipFile": zipped("x = 1")},
        **parameters,
    )


ROLE, UNTAGGED, CONNECT = f"nwchat-{CHAT}-evil", f"nwchat-{CHAT}-untagged", f"nwchat-{CHAT}-connect"
CONNECT_ROLE = f"{CONNECT}-{DEFAULT_REGION}"
POLICY = {"PolicyName": "nwchat", "PolicyDocument": json.dumps(EVERYTHING)}
FOREIGN_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            }
        ],
    }
)
OWN_TAG = {"nwchat:chat": CHAT}
SHARED = f"arn:aws:iam::{ACCOUNT}:policy/e2e-all"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
TAGS = [{"Key": "nwchat:chat", "Value": CHAT}]
BOUNDED, CODE, GRANT = "BoundedRoles", "FunctionCode", "FunctionPermissions"
PERMISSION = {"FunctionName": CONNECT, "StatementId": "evil", "Action": "lambda:InvokeFunction"}

ATTACKS = [
    # A role that can do everything.
    Attack(
        "unbounded role",
        "iam:CreateRole",
        iam("create_role", RoleName=ROLE, AssumeRolePolicyDocument=lambda_trust()),
        sid=BOUNDED,
    ),
    Attack(
        "role within another boundary",
        "iam:CreateRole",
        iam(
            "create_role", RoleName=ROLE, AssumeRolePolicyDocument=lambda_trust(), PermissionsBoundary=SHARED
        ),
        sid=BOUNDED,
    ),
    Attack(
        "policy of an unbounded role",
        "iam:PutRolePolicy",
        iam("put_role_policy", RoleName=UNTAGGED, **POLICY),
        sid=BOUNDED,
    ),
    Attack(
        "policy of a foreign role", "iam:PutRolePolicy", iam("put_role_policy", RoleName="rich", **POLICY)
    ),
    Attack(
        "another boundary",
        "iam:PutRolePermissionsBoundary",
        iam("put_role_permissions_boundary", RoleName=CONNECT_ROLE, PermissionsBoundary=SHARED),
        sid=BOUNDED,
    ),
    Attack(
        "boundary of another chat's role",
        "iam:PutRolePermissionsBoundary",
        iam("put_role_permissions_boundary", RoleName=OTHER_ROLE, PermissionsBoundary=BOUNDARY),
        sid=BOUNDED,
    ),
    Attack(
        "no boundary",
        "iam:DeleteRolePermissionsBoundary",
        iam("delete_role_permissions_boundary", RoleName=CONNECT_ROLE),
    ),
    Attack(
        "managed policy",
        "iam:AttachRolePolicy",
        iam("attach_role_policy", RoleName=CONNECT_ROLE, PolicyArn=ADMIN),
    ),
    Attack(
        "wider boundary",
        "iam:CreatePolicyVersion",
        iam(
            "create_policy_version",
            PolicyArn=BOUNDARY,
            PolicyDocument=json.dumps(EVERYTHING),
            SetAsDefault=True,
        ),
    ),
    Attack(
        "trust of a foreign role",
        "iam:UpdateAssumeRolePolicy",
        iam("update_assume_role_policy", RoleName="rich", PolicyDocument=FOREIGN_TRUST),
    ),
    Attack("user", "iam:CreateUser", iam("create_user", UserName="evil")),
    Attack("access key", "iam:CreateAccessKey", iam("create_access_key", UserName="nwchat-operator")),
    Attack(
        "policy",
        "iam:CreatePolicy",
        iam("create_policy", PolicyName="evil", PolicyDocument=json.dumps(EVERYTHING)),
    ),
    # A function with a role that can do more.
    Attack("foreign role passed", "iam:PassRole", make_function("rich", Tags=OWN_TAG)),
    Attack(
        "foreign role passed later",
        "iam:PassRole",
        functions(
            "update_function_configuration", FunctionName=CONNECT, Role=f"arn:aws:iam::{ACCOUNT}:role/rich"
        ),
    ),
    Attack("untagged function made", "lambda:CreateFunction", make_function(CONNECT), sid="NewFunctions"),
    Attack(
        "code of a foreign function",
        "lambda:UpdateFunctionCode",
        functions("update_function_code", FunctionName="rich", ZipFile=zipped("x = 2")),
    ),
    Attack(
        "code of an untagged function",
        "lambda:UpdateFunctionCode",
        functions("update_function_code", FunctionName=UNTAGGED, ZipFile=zipped("x = 2")),
        sid=CODE,
    ),
    Attack(
        "code of another chat's function",
        "lambda:UpdateFunctionCode",
        functions(
            "update_function_code", FunctionName=f"nwchat-{OTHER_CHAT}-connect", ZipFile=zipped("x = 2")
        ),
        sid=CODE,
    ),
    Attack(
        "settings of an untagged function",
        "lambda:UpdateFunctionConfiguration",
        functions("update_function_configuration", FunctionName=UNTAGGED, Timeout=9),
        sid=CODE,
    ),
    Attack(
        "function invoked by an account",
        "lambda:AddPermission",
        functions("add_permission", Principal="111122223333", **PERMISSION),
        sid=GRANT,
    ),
    Attack(
        "function invoked by everyone",
        "lambda:AddPermission",
        functions("add_permission", Principal="*", **PERMISSION),
        sid=GRANT,
    ),
    Attack(
        "function invoked by a topic",
        "lambda:AddPermission",
        functions("add_permission", Principal="sns.amazonaws.com", **PERMISSION),
        sid=GRANT,
    ),
    Attack(
        "function with an address",
        "lambda:CreateFunctionUrlConfig",
        functions("create_function_url_config", FunctionName=CONNECT, AuthType="NONE"),
    ),
    Attack(
        "event source",
        "lambda:CreateEventSourceMapping",
        functions(
            "create_event_source_mapping",
            FunctionName=CONNECT,
            EventSourceArn=f"arn:aws:sqs:{DEFAULT_REGION}:{ACCOUNT}:nwchat-{CHAT}-dead-letters",
        ),
    ),
    Attack(
        "layer",
        "lambda:PublishLayerVersion",
        functions("publish_layer_version", LayerName="evil", Content={"ZipFile": zipped("x = 1")}),
    ),
    # Another's API.
    Attack("foreign API", "apigateway:PATCH", gateway("update_api", Name="foreign"), sid="Apis"),
    Attack(
        "route of a foreign API", "apigateway:POST", gateway("create_route", RouteKey="GET /evil"), sid="Apis"
    ),
    Attack(
        "integration of a foreign API",
        "apigateway:POST",
        gateway(
            "create_integration",
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="GET",
            IntegrationUri="https://evil.example",
            PayloadFormatVersion="1.0",
        ),
        sid="Apis",
    ),
    Attack("foreign API deleted", "apigateway:DELETE", gateway("delete_route", RouteId="none"), sid="Apis"),
    Attack(
        "foreign API tagged",
        "apigateway:POST",
        lambda world: world.own("apigatewayv2").tag_resource(
            ResourceArn=gateway_arn(f"/apis/{world.api}"), Tags={"nwchat:managed-by": "nwchatctl"}
        ),
        sid="ApiTags",
    ),
    Attack(
        "own API untagged",
        "apigateway:DELETE",
        lambda world: world.own("apigatewayv2").untag_resource(
            ResourceArn=gateway_arn(f"/apis/{world.chat.api_id}"),
            TagKeys=["nwchat:none", "nwchat:managed-by", "nwchat:chat"],
        ),
    ),
    Attack(
        "untagged API made",
        "apigateway:POST",
        lambda world: world.own("apigatewayv2").create_api(Name="evil", ProtocolType="HTTP"),
    ),
    Attack(
        "API of another chat made",
        "apigateway:TagResource",
        lambda world: world.own("apigatewayv2").create_api(
            Name="evil", ProtocolType="HTTP", Tags={"nwchat:chat": OTHER_CHAT}
        ),
    ),
    Attack(
        "account's logging role",
        "apigateway:PATCH",
        lambda world: world.own("apigateway").update_account(
            patchOperations=[{"op": "remove", "path": "/cloudwatchRoleArn"}]
        ),
    ),
    # Another's names.
    Attack(
        "foreign certificate deleted", "acm:DeleteCertificate", certificates("delete_certificate"), "domain"
    ),
    Attack(
        "foreign certificate tagged",
        "acm:AddTagsToCertificate",
        certificates("add_tags_to_certificate", Tags=TAGS),
        "domain",
    ),
    Attack(
        "foreign certificate exported",
        "acm:ExportCertificate",
        certificates("export_certificate", Passphrase=b"secret"),
    ),
    Attack(
        "untagged certificate",
        "acm:RequestCertificate",
        lambda world: world.own("acm").request_certificate(DomainName="evil.example", ValidationMethod="DNS"),
    ),
    Attack(
        "foreign domain name",
        "apigateway:DELETE",
        lambda world: world.own("apigatewayv2").delete_domain_name(DomainName="www.foreign.example"),
    ),
    Attack(
        "untagged domain name",
        "apigateway:PATCH",
        lambda world: world.own("apigatewayv2").update_domain_name(DomainName=NAME),
        "domain",
        "Domains",
    ),
    Attack(
        "foreign record",
        "route53:ChangeResourceRecordSets",
        records(("www.safe.example", "A")),
        "domain",
        "AliasRecords",
    ),
    Attack(
        "foreign record among own",
        "route53:ChangeResourceRecordSets",
        records((NAME, "A"), ("www.safe.example", "A")),
        "domain",
        "AliasRecords",
    ),
    Attack(
        "record below the name",
        "route53:ChangeResourceRecordSets",
        records((f"www.{NAME}", "A")),
        "domain",
        "AliasRecords",
    ),
    Attack(
        "own name of another kind",
        "route53:ChangeResourceRecordSets",
        records((NAME, "TXT")),
        "domain",
        "AliasRecords",
    ),
    Attack(
        "mail of the zone",
        "route53:ChangeResourceRecordSets",
        records(("_dmarc.safe.example", "CNAME")),
        "domain",
        "ValidationRecords",
    ),
    Attack("foreign zone", "route53:ChangeResourceRecordSets", records((NAME, "A"), zone="other_zone")),
    Attack(
        "hosted zone deleted",
        "route53:DeleteHostedZone",
        lambda world: world.own("route53").delete_hosted_zone(Id=world.zone),
    ),
    # Another's data.
    Attack("foreign table", "dynamodb:Scan", lambda world: world.own("dynamodb").scan(TableName="foreign")),
    Attack(
        "table of another chat",
        "dynamodb:Scan",
        lambda world: world.own("dynamodb").scan(TableName=f"nwchat-{OTHER_CHAT}-connections"),
        sid="OwnResources",
    ),
    Attack("foreign function invoked", "lambda:InvokeFunction", functions("invoke", FunctionName="rich")),
    Attack(
        "foreign logs",
        "logs:DeleteLogGroup",
        lambda world: world.own("logs").delete_log_group(logGroupName="/aws/lambda/rich"),
    ),
    Attack(
        "foreign parameter",
        "ssm:GetParameter",
        lambda world: world.own("ssm").get_parameter(Name="/site/secret"),
    ),
    Attack(
        "assumed role",
        "sts:AssumeRole",
        lambda world: world.own("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/rich", RoleSessionName="evil"
        ),
    ),
]
