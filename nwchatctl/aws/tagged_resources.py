"""Resources by their tags, as the Resource Groups Tagging API lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from nwchatctl.aws.core.errors import is_denied
from nwchatctl.aws.core.parallel import ParallelReads
from nwchatctl.aws.core.retry import error_code
from nwchatctl.aws.core.session import Aws
from nwchatctl.deploy.account_chats import TaggedResource

SERVICE = "resourcegroupstaggingapi"

NOT_ENABLED, DENIED, FAILED = "not enabled", "denied", "failed"
"""Why a Region has no answer."""

_THREADS = 16
"""Regions that are asked at the same time."""

_PAGE = 100
"""The largest page ("GetResources", API reference)."""

_NOT_ENABLED = (
    *("UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure"),
    *("OptInRequired", "RegionDisabledException", "SubscriptionRequiredException"),
)
"""What services answer in a Region that the account has not enabled: the credentials are unknown there."""


def tagging_regions(aws: Aws, partition: str) -> list[str]:
    """The Regions of the partition that botocore knows; an account may not have enabled all of them."""
    return aws.session.get_available_regions(SERVICE, partition_name=partition)


@dataclass(frozen=True, slots=True)
class RegionRead:
    """What a Region answered: its resources, or an error and why: `not enabled`, `denied` or `failed`."""

    region: str
    resources: tuple[TaggedResource, ...] = ()
    problem: str = ""
    error: Exception | None = None


def read_regions(aws: Aws, regions: Iterable[str], tags: Mapping[str, str]) -> list[RegionRead]:
    """Asks the Regions at the same time for their resources that have `tags`."""
    with ParallelReads(_THREADS) as start:
        reads = [start(_read_region, aws, each, tags) for each in regions]
        return [read() for read in reads]


def read_tagged(aws: Aws, region: str, tags: Mapping[str, str]) -> tuple[TaggedResource, ...]:
    """The resources in `region` that have `tags`. Those that were deleted moments ago may be among them.
    Raises botocore's errors."""
    wanted = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    listing = aws.tagging_client(region).get_paginator("get_resources")
    return tuple(
        TaggedResource(each["ResourceARN"], {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])})
        for page in listing.paginate(TagFilters=wanted, ResourcesPerPage=_PAGE)
        for each in page["ResourceTagMappingList"]
    )


def _read_region(aws: Aws, region: str, tags: Mapping[str, str]) -> RegionRead:
    # An error is a result: botocore has repeated the call, and the other Regions do not wait for more.
    try:
        return RegionRead(region, read_tagged(aws, region, tags))
    except ClientError as error:
        if error_code(error) in _NOT_ENABLED:
            return RegionRead(region, problem=NOT_ENABLED, error=error)
        return RegionRead(region, problem=DENIED if is_denied(error) else FAILED, error=error)
    except BotoCoreError as error:
        return RegionRead(region, problem=FAILED, error=error)
