"""The account-wide role that API Gateway writes logs with.

It is set through API Gateway's v1 API, for APIs of both versions, once per Region.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from nwchatctl.aws.core.retry import with_retries
from nwchatctl.aws.core.tags import to_list
from nwchatctl.aws.iam import Roles
from nwchatctl.deploy.location import Location
from nwchatctl.deploy.logging_role import ROLE, ROLE_TAGS, ROLE_TRUST, role_policy
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_iam import IAMClient


class LoggingRole:
    """Reads and sets the account's logging role at `location`. Each call is safe to repeat."""

    def __init__(self, gateway: APIGatewayClient, iam: IAMClient, location: Location) -> None:
        self._gateway = gateway
        self._iam = iam
        self._policy = role_policy(location.partition)
        self.own_role = location.role_arn(ROLE)
        """The ARN of the role that `set_logging_role` creates."""

    def logging_role(self) -> str:
        """The ARN of the current logging role, "" if there is none."""
        return self._gateway.get_account().get("cloudwatchRoleArn") or ""

    def has_own_role(self) -> bool:
        """Whether the current role is the one that the tool creates; False if it cannot be read."""
        try:
            return self.logging_role() == self.own_role
        except (ClientError, BotoCoreError):
            return False

    def set_logging_role(self) -> None:
        """Creates the tool's role if it is missing or differs, and sets it.

        API Gateway tests the role, which may become visible some seconds later, and accepts one change in 20
        s. Raises ChatError `not_ours` if another role has the name.
        """
        self._ensure_role()
        with_retries(
            self._gateway.update_account,
            patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": self.own_role}],
        )

    def _ensure_role(self) -> None:
        role = Roles(self._iam).read(ROLE)
        if role is None:
            # Another chat's deploy may create it at the same time.
            with suppress(self._iam.exceptions.EntityAlreadyExistsException):
                with_retries(
                    self._iam.create_role,
                    RoleName=ROLE,
                    AssumeRolePolicyDocument=ROLE_TRUST,
                    Description="Made by nwchatctl for API Gateway to write logs, in this account",
                    Tags=to_list(ROLE_TAGS),
                )
        elif not set(ROLE_TAGS) <= set(role.tags):
            raise ChatError(
                f"role {ROLE} is there, and not made by nwchatctl",
                hint="remove it, or set another role by hand: aws apigateway update-account",
                code="not_ours",
            )
        elif role.trust != ROLE_TRUST:
            with_retries(self._iam.update_assume_role_policy, RoleName=ROLE, PolicyDocument=ROLE_TRUST)
        if role is None or self._policy not in role.other_policies:
            with_retries(self._iam.attach_role_policy, RoleName=ROLE, PolicyArn=self._policy)
