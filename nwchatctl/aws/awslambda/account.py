"""Lambda's limits of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nwchatctl.aws.core.errors import is_denied
from nwchatctl.deploy.desired.account_needs import AccountLimits

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def read_account_limits(client: LambdaClient) -> AccountLimits | None:
    """The limits; None if the caller may not read them, because a deploy does not depend on them."""
    try:
        found = client.get_account_settings()["AccountLimit"]
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    concurrent = found["ConcurrentExecutions"]
    return AccountLimits(concurrent, found.get("UnreservedConcurrentExecutions", concurrent))
