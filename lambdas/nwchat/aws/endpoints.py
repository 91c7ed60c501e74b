"""Where AWS's services are: the Region, the partition's DNS suffix and the services' URLs."""

from __future__ import annotations

from collections.abc import Mapping

from nwchat.values import dataclass

_DNS_SUFFIXES = (
    # First part of a Region's name, and the suffix of its partition (botocore's partitions.json).
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
)
_DEFAULT_DNS_SUFFIX = "amazonaws.com"


@dataclass(frozen=True, slots=True)
class AwsEndpoint:
    """The URL of a service, and the Region for which its requests are signed."""

    url: str
    region: str


class NoRegion(LookupError):
    """The environment names no Region. Lambda sets AWS_REGION."""


def region_of(env: Mapping[str, str]) -> str:
    """The Region of the function. Raises NoRegion."""
    if not (region := env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or ""):
        raise NoRegion("AWS_REGION is not set")
    return region


def dns_suffix(region: str) -> str:
    """The DNS suffix of the Region's partition."""
    return next((suffix for start, suffix in _DNS_SUFFIXES if region.startswith(start)), _DEFAULT_DNS_SUFFIX)


def aws_endpoint(service: str, env: Mapping[str, str]) -> AwsEndpoint:
    """The endpoint of `service`: AWS's, or one in the variables that AWS's SDKs read for it.

    These are AWS_ENDPOINT_URL_<SERVICE> and AWS_ENDPOINT_URL, unless AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is
    "true" (SDK reference, "Service-specific endpoints"). Raises NoRegion.
    """
    region = region_of(env)
    configured = ""
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        configured = env.get(f"AWS_ENDPOINT_URL_{service.upper()}") or env.get("AWS_ENDPOINT_URL") or ""
    return AwsEndpoint(configured or f"https://{service}.{region}.{dns_suffix(region)}", region)
