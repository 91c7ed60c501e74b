"""As whom AWS takes our calls, and where they go."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import NoRegionError

from nwchatctl.aws.core.session import Aws
from nwchatctl.deploy.location import Location


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom AWS takes us for, and where. `name` is the user, or the role and its session."""

    location: Location
    name: str


def identify_caller(aws: Aws) -> Caller:
    """The caller's name, account (asked of AWS), region and partition that `aws` leads to.

    Raises botocore's NoRegionError and credential errors.
    """
    if aws.session.region_name is None:
        # STS alone would answer without one, from a global endpoint.
        raise NoRegionError
    sts = aws.client("sts")
    identity = sts.get_caller_identity()
    _, partition, *_, path = identity["Arn"].split(":")
    location = Location(identity["Account"], sts.meta.region_name, aws.access.endpoint, partition)
    return Caller(location, path.partition("/")[2] or path)
