"""GetResources of the Resource Groups Tagging API as AWS answers it.

ministack 1.5.33 lists no APIs, stages, log groups, parameters and certificates, and everything in one page.
AWS lists them all ("Services that support the Resource Groups Tagging API"), in pages of at most 100
resources, 50 by default ("GetResources", API reference). IAM roles are not listed, as on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import acm, apigateway, cloudwatch_logs, ssm, tagging

_DEFAULT_PAGE, _LARGEST_PAGE = 50, 100

_get_resources = tagging._get_resources

Tagged = tuple[str, list[dict[str, str]]]


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def collect_apis() -> Iterator[Tagged]:
    """The APIs and stages of this Region that exist, with their tags."""
    for arn, tags in apigateway._api_tags.items():
        kind, _, rest = arn.partition("::/")[2].partition("/")
        if kind != "apis" or rest.split("/")[0] in apigateway._apis:
            yield arn, _listed(tags)


def collect_log_groups() -> Iterator[Tagged]:
    for name, group in cloudwatch_logs._log_groups.items():
        arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{name}"
        yield arn, _listed(group.get("tags", {}))


def collect_parameters() -> Iterator[Tagged]:
    for arn, tags in ssm._tags.items():
        yield arn, _listed(tags)


def collect_certificates() -> Iterator[Tagged]:
    for arn, certificate in acm._certificates.items():
        yield arn, certificate.get("Tags", [])


def get_resources(data: dict[str, Any]) -> Any:
    """GetResources, in pages. A token is the number of resources on the pages before."""
    size = data.get("ResourcesPerPage", _DEFAULT_PAGE)
    token = data.get("PaginationToken") or "0"
    if not 1 <= size <= _LARGEST_PAGE:
        return tagging._invalid_parameter("ResourcesPerPage must be between 1 and 100")
    if not token.isdecimal():
        return tagging._invalid_parameter("The pagination token is not valid")
    unpaged = {key: each for key, each in data.items() if key not in ("ResourcesPerPage", "PaginationToken")}
    status, headers, body = _get_resources(unpaged)
    found = json.loads(body)
    if "ResourceTagMappingList" not in found or data.get("ResourceARNList"):
        return status, headers, body
    # A resource without tags was never tagged, and is not listed.
    every = [each for each in found["ResourceTagMappingList"] if each["Tags"]]
    every.sort(key=lambda each: each["ResourceARN"])
    end = int(token) + size
    return tagging._json(
        {
            "ResourceTagMappingList": every[int(token) : end],
            "PaginationToken": str(end) if end < len(every) else "",
        }
    )


def install() -> None:
    tagging._COLLECTORS |= {
        "acm": collect_certificates,
        "apigateway": collect_apis,
        "logs": collect_log_groups,
        "ssm": collect_parameters,
    }
    tagging._HANDLERS["GetResources"] = get_resources
