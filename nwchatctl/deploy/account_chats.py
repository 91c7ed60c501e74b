"""The chats of an account, from the tags of its resources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nwchatctl.deploy.names import CHAT_TAG

_KINDS = {
    ("apigateway", "apis"): "api",
    ("apigateway", "domainnames"): "domain",
    ("lambda", "function"): "function",
    ("dynamodb", "table"): "table",
    ("logs", "log-group"): "log-group",
    ("ssm", "parameter"): "token-keys",
    ("acm", "certificate"): "certificate",
}
"""The kind of a resource, by the service and the first word of the resource in its ARN."""


@dataclass(frozen=True, slots=True)
class TaggedResource:
    """A resource with its tags, as AWS lists it."""

    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AccountChat:
    """A chat in one Region, with the number of its resources by kind. IAM roles and DNS records, which
    belong to no Region, are not among them."""

    name: str
    region: str
    resources: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """How many resources there are."""
        return sum(count for _, count in self.resources)

    @property
    def state(self) -> str:
        """`deployed` with an API, without which there is no chat; `data` with tables; else `parts`."""
        kinds = dict(self.resources)
        return "deployed" if "api" in kinds else "data" if "table" in kinds else "parts"


def chats_of(region: str, resources: Iterable[TaggedResource]) -> list[AccountChat]:
    """The chats of `resources`, which are in `region`, by name; resources of no chat are left out."""
    kinds: dict[str, Counter[str]] = {}
    for each in resources:
        if name := each.tags.get(CHAT_TAG):
            kinds.setdefault(name, Counter())[resource_kind(each.arn)] += 1
    return [
        AccountChat(name, region, tuple(sorted(counts.items()))) for name, counts in sorted(kinds.items())
    ]


def resource_kind(arn: str) -> str:
    """What an ARN names, in the words of a plan; the service for what a chat does not have."""
    _, _, service, _, _, resource, *_ = [*arn.split(":", 5), *[""] * 5]
    if service == "sqs":
        return "queue"
    words = resource.strip("/").replace(":", "/").split("/")
    if service == "apigateway" and "stages" in words:
        return "stage"
    return _KINDS.get((service, words[0]), service or "unknown")
