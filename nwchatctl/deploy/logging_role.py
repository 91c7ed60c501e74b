"""The role that API Gateway writes access logs with: one for a whole account and Region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.changes import Delete
from nwchatctl.deploy.desired.policies import service_trust
from nwchatctl.deploy.model.websocket import Stage
from nwchatctl.deploy.names import MANAGED_TAG

if TYPE_CHECKING:
    from nwchatctl.deploy.planner import Plan


ROLE = "nwchat-apigateway-logs"
"""The role that the tool creates for API Gateway, one for all chats of an account."""


ROLE_TRUST = service_trust("apigateway.amazonaws.com")


ROLE_TAGS = (MANAGED_TAG,)
"""The role belongs to no chat, so it has no chat's tag, and no chat's `destroy` deletes it."""


def role_policy(partition: str) -> str:
    """The ARN of AWS's managed policy that lets API Gateway write logs."""
    return f"arn:{partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


@dataclass(frozen=True, slots=True)
class LoggingRoleState:
    """The account's logging role, as a deploy finds it. `current` is its ARN, "" for none.

    `requested`: the operator asked the deploy to set one. `needed`: the stage is to write logs.
    """

    current: str
    requested: bool
    needed: bool

    @property
    def sets_role(self) -> bool:
        """Whether the deploy sets a role: an existing one is never replaced."""
        return self.requested and not self.current

    @property
    def is_missing(self) -> bool:
        """Whether logs are configured that no role can write."""
        return self.needed and not self.current and not self.requested


def needs_logging_role(plan: Plan) -> bool:
    """Whether the plan gives a stage logs, which API Gateway refuses in an account without a role. Those of
    an HTTP API need none ("Configure logging for HTTP APIs")."""
    return any(
        isinstance(each.after, Stage) and bool(each.after.access_log or each.after.execution_log)
        for each in plan.changes
        if not isinstance(each, Delete)
    )
