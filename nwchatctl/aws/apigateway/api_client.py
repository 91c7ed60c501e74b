"""Calls on one WebSocket API, by the tool's own names; AWS's ids stay inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.common import delete_if_exists, pages, retag
from nwchatctl.deploy.model.string_map import StringMap

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

NAME_PREFIX = "nwchatctl:"
"""The prefix of the tool's own name in a description, for objects without a name on AWS."""


@dataclass
class Ids:
    """AWS's ids by the tool's own names. Concurrent changes touch different entries."""

    api: str = ""
    integrations: dict[str, str] = field(default_factory=dict)
    authorizers: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    routes_with_authorizer: set[str] = field(default_factory=set)
    """The routes with an authorizer, whether or not they use it."""
    routes_with_other_settings: set[str] = field(default_factory=set)
    """The routes with settings that the tool never sets."""
    deployments: dict[str, str] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    """Ids of the chat's empty, unused WebSocket APIs; such an API's name is its id."""


class ApiClient:
    """Calls on the API `ids.api` and its parts.

    `make_no_retry_client` returns a client that sends each call once: AWS repeats most creates as often as
    they are sent, so botocore must not retry them.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        arn_prefix: str,
        make_no_retry_client: Callable[[], ApiGatewayV2Client],
    ) -> None:
        self.client = client
        self._make_no_retry_client = make_no_retry_client
        # `arn:aws:apigateway:us-east-2::/apis/`: these ARNs hold no account.
        self._arn_prefix = arn_prefix
        self.ids = Ids()

    @property
    def no_retry_client(self) -> ApiGatewayV2Client:
        """The client that sends each call once."""
        return self._make_no_retry_client()

    def items(self, call: Callable[..., Any]) -> list[Any]:
        """All items of a Get… call on the API."""
        return list(pages(call, ApiId=self.ids.api))

    def find(self, call: Callable[..., Any], wanted: Mapping[str, str], **parameters: str) -> Any:
        """The first item of a Get… call with the attributes `wanted`; {} if there is none."""
        found = pages(call, ApiId=self.ids.api, **parameters)
        return next((each for each in found if wanted.items() <= each.items()), {})

    def retag(self, resource: str, before: StringMap, after: StringMap) -> None:
        """Updates the tags that differ; `resource` is the part of the ARN after `/apis/`."""
        retag(self.client, self._arn_prefix + resource, before, after)

    def delete_if_exists(
        self, call: Callable[..., Any], get: Callable[..., Any] | None = None, **parameters: Any
    ) -> None:
        """Sends a delete call; see `common.delete_if_exists`."""
        delete_if_exists(self.client, call, get, **parameters)


def name_in(description: str) -> str:
    """The tool's own name in an AWS description, "" if there is none."""
    return description.removeprefix(NAME_PREFIX) if description.startswith(NAME_PREFIX) else ""
