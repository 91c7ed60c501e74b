"""Endpoints that were configured instead of AWS's: AWS_ENDPOINT_URL, one per service, and those of a profile.

Either all services that the tool uses are elsewhere, or none is: a chat half on AWS and half on an emulator
would be broken, so a command refuses such a mixture before it changes anything. Endpoints of AWS itself, as
those of a VPC, are not elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from nwchatctl.errors import ChatError, Exit

CONNECTIONS = "apigatewaymanagementapi"
"""boto3's name of the service of @connections; the addresses of the chat itself follow its endpoint too."""

SERVICE_IDS = {
    "acm": "acm",
    "apigateway": "api_gateway",
    "apigatewayv2": "apigatewayv2",
    CONNECTIONS: "apigatewaymanagementapi",
    "dynamodb": "dynamodb",
    "iam": "iam",
    "lambda": "lambda",
    "logs": "cloudwatch_logs",
    "resourcegroupstaggingapi": "resource_groups_tagging_api",
    "route53": "route_53",
    "sqs": "sqs",
    "ssm": "ssm",
    "sts": "sts",
}
"""The services that the tool calls, by boto3's name, and their ids in variables and profiles (SDK reference,
"Service-specific endpoints")."""


@dataclass(frozen=True, slots=True)
class Configured:
    """An endpoint, and the variable or key that names it."""

    url: str
    origin: str

    @property
    def host(self) -> str:
        """The host of the URL, in lower case."""
        return (urlsplit(self.url).hostname or "").lower()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The configured endpoints by boto3's name of the service."""

    by_service: Mapping[str, Configured] = field(default_factory=dict)

    def url(self, service: str) -> str:
        """The endpoint of a service, "" for AWS's own."""
        found = self.by_service.get(service)
        return found.url if found else ""

    @property
    def api_base(self) -> str:
        """The base URL below which the APIs themselves are served, without a trailing slash; "" for AWS's
        hosts."""
        return self.url(CONNECTIONS).rstrip("/")


def configured_endpoints(
    environ: Mapping[str, str], profile: Mapping[str, Any], sections: Mapping[str, Any]
) -> Endpoints:
    """The endpoints of the environment and of a profile of ~/.aws/config, in the SDKs' order of precedence.

    `sections` are the `services` sections of the file, by name. There are none if
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or the profile's ignore_configured_endpoint_urls is "true".
    """
    ignored = environ.get(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", profile.get("ignore_configured_endpoint_urls", "")
    )
    if str(ignored).strip().lower() == "true":
        return Endpoints()
    name = str(profile.get("services") or "")
    section = sections.get(name) or {}
    found = {}
    for service, key in SERVICE_IDS.items():
        own, options = f"AWS_ENDPOINT_URL_{key.upper()}", section.get(key)
        candidates = (
            Configured(environ.get(own, ""), own),
            Configured(environ.get("AWS_ENDPOINT_URL", ""), "AWS_ENDPOINT_URL"),
            Configured(
                str(options.get("endpoint_url") or "") if isinstance(options, Mapping) else "",
                f"endpoint_url of {key} in [services {name}]",
            ),
            Configured(str(profile.get("endpoint_url") or ""), "endpoint_url of the profile"),
        )
        if chosen := next((each for each in candidates if each.url), None):
            found[service] = chosen
    return Endpoints(found)


def check_endpoints(endpoints: Endpoints, aws_suffixes: Iterable[str], *, fips: bool = False) -> None:
    """Raises ChatError, exit 3: `endpoint_invalid` for a URL that is none; `endpoints_mixed` if some services
    are elsewhere and others on AWS, or if the chat's own addresses would follow to a host that serves none.

    `aws_suffixes` are the DNS suffixes of all partitions. With `fips`, every endpoint elsewhere is refused,
    as by botocore.
    """
    suffixes = tuple(f".{each.lower()}" for each in aws_suffixes)
    for each in endpoints.by_service.values():
        _check_url(each)
    elsewhere = {
        service: each for service, each in endpoints.by_service.items() if not each.host.endswith(suffixes)
    }
    on_aws = sorted(SERVICE_IDS.keys() - elsewhere.keys())
    own = endpoints.by_service.get(CONNECTIONS)
    if own and CONNECTIONS not in elsewhere:
        raise _refused(
            f"{own.origin} leads the chat's own addresses to {own.host}, which does not serve them", own
        )
    if not elsewhere:
        return
    service, each = next(iter(elsewhere.items()))
    if on_aws:
        raise _refused(f"{each.origin} leads {service} to {each.host}, but {on_aws[0]} stays on AWS", each)
    if fips:
        raise _refused(f"{each.origin} leads to {each.host}, but FIPS endpoints are asked for", each)


def _check_url(each: Configured) -> None:
    try:
        parts = urlsplit(each.url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ChatError(
            f"{each.origin} is not the URL of an endpoint",
            hint=f"set {each.origin} to https://HOST, or remove it",
            code="endpoint_invalid",
            exit_code=Exit.CONFIG,
        )


def _refused(text: str, each: Configured) -> ChatError:
    return ChatError(
        text,
        hint=f"remove {each.origin}, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true; AWS_ENDPOINT_URL alone "
        "leads everything elsewhere, and --sandbox needs none",
        code="endpoints_mixed",
        exit_code=Exit.CONFIG,
    )
