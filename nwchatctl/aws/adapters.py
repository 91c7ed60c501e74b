"""One adapter for each part of a chat on AWS, created on first use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from nwchatctl.aws.acm import Certificates
from nwchatctl.aws.apigateway.domain_names import Domains
from nwchatctl.aws.apigateway.http_api import HttpApi
from nwchatctl.aws.apigateway.logging_role import LoggingRole
from nwchatctl.aws.apigateway.websocket_api import WebSocketApi
from nwchatctl.aws.awslambda.event_invoke import AsyncInvokes
from nwchatctl.aws.awslambda.functions import Functions
from nwchatctl.aws.awslambda.package import Package, build_package
from nwchatctl.aws.awslambda.permissions import Permissions
from nwchatctl.aws.core.caller import Caller, identify_caller
from nwchatctl.aws.core.session import Aws
from nwchatctl.aws.dynamodb.deploy_table import DeployTable
from nwchatctl.aws.dynamodb.recovery import Recoveries
from nwchatctl.aws.dynamodb.tables import Tables
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.legacy_chat import LegacyResources
from nwchatctl.aws.logs import LogGroups
from nwchatctl.aws.route53 import Zones
from nwchatctl.aws.sqs import Queues
from nwchatctl.aws.ssm import KeyParameters
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

Clock: TypeAlias = Callable[[], int]
"""The time, in epoch ms."""


class Adapters:
    """The adapters for the chat of `names`, through `aws`. There is one object of each, and it remembers
    AWS's ids as it reads and creates; if `caller` is None, STS is asked on first use."""

    def __init__(self, aws: Aws, caller: Caller | None, names: ResourceNames, clock: Clock) -> None:
        self._aws = aws
        self._caller = caller
        self._caller_lock = threading.Lock()
        self._clock = clock
        self.names = names
        self.notify: Callable[[str], None] = lambda text: None
        """Tells the operator what a change waits for; called from any thread."""

    @property
    def caller(self) -> Caller:
        """The AWS identity in use: as given, or read from STS on first use. Raises the errors of
        `identify_caller`."""
        with self._caller_lock:
            if self._caller is None:
                self._caller = identify_caller(self._aws)
            return self._caller

    @property
    def location(self) -> Location:
        """The caller's account and Region. Raises the errors of `identify_caller`."""
        return self.caller.location

    def _role_arn(self, name: str) -> str:
        return self.location.role_arn(name)

    def _say(self, text: str) -> None:
        self.notify(text)

    @cached_property
    def package(self) -> Package:
        """The functions' zip."""
        return build_package()

    @cached_property
    def tables(self) -> Tables:
        """The adapter of DynamoDB tables."""
        return Tables(self._aws.client("dynamodb"))

    @cached_property
    def recoveries(self) -> Recoveries:
        """The adapter of the tables' point-in-time recovery."""
        return Recoveries(self._aws.client("dynamodb"), self._say)

    @cached_property
    def deploy_table(self) -> DeployTable:
        """The adapter of the tool's own table (lock and releases)."""
        return DeployTable(self._aws.client("dynamodb"), self.names.deploys)

    @cached_property
    def log_groups(self) -> LogGroups:
        """The adapter of log groups."""
        return LogGroups(
            self._aws.client("logs"), lambda name: self.location.arn("logs", f"log-group:{name}")
        )

    @cached_property
    def roles(self) -> Roles:
        """The adapter of IAM roles."""
        return Roles(self._aws.client("iam"), self.location.region)

    @cached_property
    def functions(self) -> Functions:
        """The adapter of Lambda functions and aliases."""
        return Functions(
            self._aws.client("lambda"),
            self.package,
            lambda name: self.location.arn("lambda", f"function:{name}"),
            self._role_arn,
            self.roles,
        )

    @cached_property
    def permissions(self) -> Permissions:
        """The adapter of the permissions to invoke functions."""
        return Permissions(self._aws.client("lambda"))

    @cached_property
    def async_invokes(self) -> AsyncInvokes:
        """The adapter of the settings for asynchronous invocations."""
        return AsyncInvokes(self._aws.client("lambda"))

    @cached_property
    def queues(self) -> Queues:
        """The adapter of queues."""
        return Queues(self._aws.client("sqs"), self._say)

    @cached_property
    def token_keys(self) -> KeyParameters:
        """The adapter of the token signing keys."""
        return KeyParameters(self._aws.client("ssm"), self._clock, self._say)

    @cached_property
    def websocket_api(self) -> WebSocketApi:
        """The adapter of the WebSocket API."""
        return WebSocketApi(*self._api_clients())

    @cached_property
    def history_api(self) -> HttpApi:
        """The adapter of the history API."""
        return HttpApi(*self._api_clients())

    def _api_clients(self) -> tuple[ApiGatewayV2Client, str, Callable[[], ApiGatewayV2Client]]:
        client = self._aws.client("apigatewayv2")
        prefix = f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/apis/"
        return client, prefix, lambda: self._aws.client("apigatewayv2", retries=False)

    @cached_property
    def domains(self) -> Domains:
        """The adapter of domain names."""
        client = self._aws.client("apigatewayv2")
        return Domains(
            client, f"arn:{client.meta.partition}:apigateway:{client.meta.region_name}::/domainnames/"
        )

    @cached_property
    def zones(self) -> Zones:
        """The adapter of hosted zones."""
        return Zones(self._aws.client("route53"))

    @cached_property
    def certificates(self) -> Certificates:
        """The adapter of certificates."""
        return Certificates(self._aws.client("acm"), self.zones, str(self._clock()))

    @cached_property
    def logging_role(self) -> LoggingRole:
        """The adapter of the account-wide role that API Gateway logs with."""
        return LoggingRole(self._aws.client("apigateway"), self._aws.client("iam"), self.location)

    @cached_property
    def legacy_resources(self) -> LegacyResources:
        """The adapter of a hand-made chat's functions and table."""
        return LegacyResources(self._aws.client("dynamodb"), self._aws.client("lambda"))
