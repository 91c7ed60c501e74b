"""An adapter for each part of a chat on AWS, made when it is first wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from nwchatctl.aws.account import Account
from nwchatctl.aws.adopting import Adopting
from nwchatctl.aws.apigateway import Gateway
from nwchatctl.aws.caller import Caller, caller
from nwchatctl.aws.certificates import Certificates
from nwchatctl.aws.deploys import Deploys
from nwchatctl.aws.domains import Domains
from nwchatctl.aws.dynamodb import Tables
from nwchatctl.aws.historyapi import HistoryApis
from nwchatctl.aws.iam import Roles
from nwchatctl.aws.lambdas import Functions
from nwchatctl.aws.logs import LogGroups
from nwchatctl.aws.package import Package, package
from nwchatctl.aws.queues import AsyncInvokes, Queues
from nwchatctl.aws.session import Aws
from nwchatctl.aws.token_keys import KeyParameters
from nwchatctl.aws.zones import Zones
from nwchatctl.deploy.naming import Names, Place

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

Clock: TypeAlias = Callable[[], int]
"""The time, in epoch ms."""


class Adapters:
    """What works on the chat that `names` are of, by way of `aws`. There is one object of each, which learns
    AWS's ids as it reads and makes; `caller` is asked of AWS where it is None."""

    def __init__(self, aws: Aws, caller: Caller | None, names: Names, clock: Clock) -> None:
        self._aws = aws
        self._caller = caller
        self._asking = threading.Lock()
        self._clock = clock
        self.names = names

    @property
    def caller(self) -> Caller:
        """As whom we are there: as given, or asked of AWS when it is first wanted. Raises as `caller`."""
        with self._asking:
            if self._caller is None:
                self._caller = caller(self._aws)
            return self._caller

    @property
    def where(self) -> Place:
        """Where that is; raises as `caller`."""
        return self.caller.place

    def _role_arn(self, name: str) -> str:
        return self.where.role_arn(name)

    @cached_property
    def package(self) -> Package:
        """The functions' zip."""
        return package()

    @cached_property
    def tables(self) -> Tables:
        """The adapter of DynamoDB tables."""
        return Tables(self._aws.client("dynamodb"))

    @cached_property
    def deploys(self) -> Deploys:
        """The adapter of the tool's own table."""
        return Deploys(self._aws.client("dynamodb"), self.names.deploys)

    @cached_property
    def log_groups(self) -> LogGroups:
        """The adapter of log groups."""
        return LogGroups(self._aws.client("logs"), lambda name: self.where.arn("logs", f"log-group:{name}"))

    @cached_property
    def roles(self) -> Roles:
        """The adapter of IAM roles."""
        return Roles(self._aws.client("iam"))

    @cached_property
    def functions(self) -> Functions:
        """The adapter of Lambda functions, aliases and permissions."""
        return Functions(
            self._aws.client("lambda"),
            self.package,
            lambda name: self.where.arn("lambda", f"function:{name}"),
            self._role_arn,
        )

    @cached_property
    def async_invokes(self) -> AsyncInvokes:
        """The adapter of what becomes of failed events."""
        return AsyncInvokes(self._aws.client("lambda"))

    @cached_property
    def queues(self) -> Queues:
        """The adapter of queues."""
        return Queues(self._aws.client("sqs"))

    @cached_property
    def token_keys(self) -> KeyParameters:
        """The adapter of the keys that tokens are signed with."""
        return KeyParameters(self._aws.client("ssm"), self._clock)

    @cached_property
    def gateway(self) -> Gateway:
        """The adapter of the WebSocket API."""
        return Gateway(*self._gateways())

    @cached_property
    def history(self) -> HistoryApis:
        """The adapter of the history API."""
        return HistoryApis(*self._gateways())

    def _gateways(self) -> tuple[ApiGatewayV2Client, str, Callable[[], ApiGatewayV2Client]]:
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
    def account(self) -> Account:
        """The adapter of what API Gateway may do in the whole account."""
        return Account(self._aws.client("apigateway"), self._aws.client("iam"), self.where)

    @cached_property
    def old(self) -> Adopting:
        """The adapter of an old chat's functions and table."""
        return Adopting(self._aws.client("dynamodb"), self._aws.client("lambda"))
