"""Which partition of AWS a Region belongs to, from botocore's endpoint data; nothing is asked of AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import NoRegionError, UnknownRegionError

from nwchatctl.errors import ChatError, Exit

if TYPE_CHECKING:
    import boto3


def default_region(environ_region: str, profile: str = "") -> str:
    """The Region of boto3's own choice: `environ_region`, else that of the profile. Raises NoRegionError."""
    if environ_region:
        return environ_region
    # As in `boto_session`: an empty AWS_DEFAULT_REGION must not hide the profile's.
    session = botocore.session.Session(
        profile=profile or None, session_vars={"region": ("region", None, None, None)}
    )
    found: str | None = session.get_config_variable("region")
    if not found:
        raise NoRegionError
    return found


DNS_SUFFIX = "amazonaws.com"
"""That of a partition which botocore does not know."""


def dns_suffix(session: boto3.session.Session, partition: str) -> str:
    """The DNS suffix of a partition's addresses: `amazonaws.com.cn` for `aws-cn`."""
    # The session's loader has read the data already, for its clients.
    endpoints: Any = session._session.get_component("data_loader").load_data("endpoints")
    found = {each["partition"]: str(each["dnsSuffix"]) for each in endpoints["partitions"]}
    return found.get(partition, DNS_SUFFIX)


def partition_of(region: str) -> str:
    """The partition of a Region: `aws`, `aws-cn`, `aws-us-gov`. Raises ChatError `region_unknown`, exit 3."""
    try:
        found: str = botocore.session.Session().get_partition_for_region(region)
    except UnknownRegionError as error:
        raise ChatError(
            f"no partition is known to have a region {region}",
            hint="give --partition, for example aws or aws-us-gov",
            code="region_unknown",
            exit_code=Exit.CONFIG,
        ) from error
    return found
