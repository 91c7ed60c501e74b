"""The service models of botocore that we use, and that it uses for us."""

from __future__ import annotations

from nwchat.storage.service_model import RawItems

SERVICES = (
    "acm",
    "apigateway",
    "apigatewaymanagementapi",
    "apigatewayv2",
    "dynamodb",
    "iam",
    "lambda",
    "logs",
    "route53",
    "sqs",
    "ssm",
    "sts",
    # With these boto3 itself gets credentials: `aws sso login`, `aws login`.
    "signin",
    "sso",
    "sso-oidc",
)


class ServiceModels(RawItems):
    """botocore's loader, told which services there are. By itself it looks into the folders of all 400, once
    for each kind of data (models, paginators, waiters): 40 ms of a deploy."""

    def list_available_services(self, type_name: str) -> list[str]:
        """SERVICES, whatever `type_name`: one that has no data of that kind is found to have none later."""
        return list(SERVICES)
