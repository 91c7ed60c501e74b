"""Which partition of AWS a Region belongs to, from botocore's endpoint data; nothing is asked of AWS."""

from __future__ import annotations

import botocore.session
from botocore.exceptions import NoRegionError, UnknownRegionError

from nwchatctl.errors import ChatError, Exit


def default_region(environ_region: str | None, profile: str = "") -> str:
    """The Region of boto3's own choice: `environ_region`, else that of the profile. Raises NoRegionError."""
    if environ_region:
        return environ_region
    session = botocore.session.Session(profile=profile or None)
    found: str | None = session.get_config_variable("region")
    if not found:
        raise NoRegionError
    return found


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
