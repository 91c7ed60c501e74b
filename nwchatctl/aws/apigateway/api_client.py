"""Calls about what is in one WebSocket API: it goes by our names, behind which stand AWS's ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.common import pages, retag
from nwchatctl.aws.apigateway.responses import Responses
from nwchatctl.aws.core.retry import with_retries
from nwchatctl.deploy.model.string_map import StringMap

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

NAME_PREFIX = "nwchatctl:"
"""Before our name of a thing, in the description of what has no name on AWS."""


@dataclass
class Ids:
    """AWS's ids of what was read or made, by our names. Changes that run at once touch different entries."""

    api: str = ""
    integrations: dict[str, str] = field(default_factory=dict)
    authorizers: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    routes_with_authorizer: set[str] = field(default_factory=set)
    """The routes that have an authorizer, whether or not they ask it."""
    deployments: dict[str, str] = field(default_factory=dict)
    duplicates: set[str] = field(default_factory=set)
    """Bare APIs of ours that nothing uses; each is its own name."""


class ApiClient:
    """Calls about the API `ids.api` and what is in it.

    `make_no_retry_client` gives a client that sends each call once: AWS makes most things here as often as it is asked
    to, so that botocore must not repeat what may have been carried out.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        arn_prefix: str,
        make_no_retry_client: Callable[[], ApiGatewayV2Client],
    ) -> None:
        self.client = client
        self.make_no_retry_client = make_no_retry_client
        # `arn:aws:apigateway:us-east-2::/apis/`: these ARNs hold no account.
        self._arn_prefix = arn_prefix
        self.ids = Ids()

    @property
    def no_retry_client(self) -> ApiGatewayV2Client:
        """The client that sends each call once."""
        return self.make_no_retry_client()

    @property
    def responses(self) -> Responses:
        """What the API answers by itself."""
        return Responses(self.client, self.make_no_retry_client, self.ids.api)

    def items(self, call: Callable[..., Any]) -> list[Any]:
        """Every item of a Get… call about the API."""
        return list(pages(call, ApiId=self.ids.api))

    def find_by_name(self, call: Callable[..., Any], id_key: str, name: str) -> str | None:
        """The id of the integration or deployment that bears our `name`."""
        found = pages(call, ApiId=self.ids.api)
        return next((each[id_key] for each in found if name_in(each.get("Description", "")) == name), None)

    def retag(self, resource: str, before: StringMap, after: StringMap) -> None:
        """Changes what differs; `resource` is what follows `/apis/` in its ARN."""
        retag(self.client, self._arn_prefix + resource, before, after)

    def delete_if_exists(self, call: Callable[..., Any], **parameters: Any) -> None:
        """Sends a call that removes something; gone already is fine."""
        try:
            with_retries(call, **parameters)
        except self.client.exceptions.NotFoundException:
            return


def name_in(description: str) -> str:
    """Our name of what AWS describes so, "" where it bears none."""
    return description.removeprefix(NAME_PREFIX) if description.startswith(NAME_PREFIX) else ""
