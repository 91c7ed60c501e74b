"""The AWS identity in use, and its account and Region."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import NoRegionError

from nwchatctl.aws.core.answers import UnreadableAnswer
from nwchatctl.aws.core.partitions import dns_suffix
from nwchatctl.aws.core.session import Aws
from nwchatctl.deploy.location import Location


@dataclass(frozen=True, slots=True)
class Caller:
    """The AWS identity in use. `name` is the user, or the role and its session."""

    location: Location
    name: str


def identify_caller(aws: Aws) -> Caller:
    """The caller's name, account (from STS), Region and partition.

    Raises botocore's NoRegionError and credential errors, and UnreadableAnswer.
    """
    if not aws.session.region_name:
        # Without a Region only STS would work, through its global endpoint.
        raise NoRegionError
    sts = aws.client("sts")
    identity = sts.get_caller_identity()
    arn = identity["Arn"].split(":", 5)
    if len(arn) != 6:
        raise UnreadableAnswer("GetCallerIdentity", "the ARN of the caller is none")
    partition, path = arn[1], arn[5]
    suffix = dns_suffix(aws.session, partition)
    location = Location(
        identity["Account"],
        sts.meta.region_name,
        aws.access.endpoint,
        partition,
        suffix,
        aws.endpoints.api_base,
    )
    return Caller(location, path.partition("/")[2] or path)
