"""The WebSocket API and all its parts, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.apigateway.authorizers import Authorizers
from nwchatctl.aws.apigateway.common import list_apis, pages
from nwchatctl.aws.apigateway.deployments import Deployments
from nwchatctl.aws.apigateway.integrations import Integrations
from nwchatctl.aws.apigateway.routes import Routes
from nwchatctl.aws.apigateway.stages import Stages
from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.aws.core.tags import from_mapping
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.model.string_map import has_tags
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client


@dataclass(frozen=True, slots=True)
class WebSocketApiParts:
    """The parts of a WebSocket API."""

    integrations: list[Integration]
    routes: list[Route]
    deployments: list[Deployment]
    stages: list[Stage]
    authorizers: list[Authorizer]


class WebSocketApi:
    """Reads and changes one WebSocket API. `ids` is filled by reads and creates.

    `make_no_retry_client` is as in `ApiClient`.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        arn_prefix: str,
        make_no_retry_client: Callable[[], ApiGatewayV2Client],
    ) -> None:
        self._api = ApiClient(client, arn_prefix, make_no_retry_client)
        self._client = client
        self.ids = self._api.ids
        self.integrations = Integrations(self._api)
        self.authorizers = Authorizers(self._api)
        self.routes = Routes(self._api)
        self.deployments = Deployments(self._api)
        self.stages = Stages(self._api)

    def list_all(self, name: str) -> list[FoundApi]:
        """All APIs of the account and Region, oldest first, each as an `Api` with the model name `name`."""
        return [
            FoundApi(
                id=each["ApiId"],
                protocol=each.get("ProtocolType", ""),
                api=Api(
                    name=name,
                    display_name=each["Name"],
                    route_selection=each.get("RouteSelectionExpression", ""),
                    default_endpoint=not each.get("DisableExecuteApiEndpoint", False),
                    tags=from_mapping(each.get("Tags", {})),
                    description=each.get("Description", ""),
                ),
            )
            for each in list_apis(self._client)
        ]

    def find(self, name: str, tags: Mapping[str, str]) -> list[tuple[str, Api]]:
        """The WebSocket APIs with `tags`, as (id, API with the model name `name`), oldest first."""
        return [
            (each.id, each.api)
            for each in self.list_all(name)
            if each.protocol == "WEBSOCKET" and has_tags(each.api.tags, tags)
        ]

    def exists(self, api_id: str) -> bool:
        """Whether an API with that id exists, whoever owns it."""
        try:
            with_retries(self._client.get_api, ApiId=api_id)
        except self._client.exceptions.NotFoundException:
            return False
        return True

    def stage_names(self, api_id: str) -> list[str]:
        """The names of the stages of any API."""
        return [each["StageName"] for each in pages(self._client.get_stages, ApiId=api_id)]

    def is_empty(self, api_id: str) -> bool:
        """Whether the API has no routes, integrations and stages."""
        reads = (self._client.get_routes, self._client.get_integrations, self._client.get_stages)
        return not any(each for read in reads for each in pages(read, ApiId=api_id))

    def read(self, start: StartRead = run_inline) -> WebSocketApiParts:
        """All parts of the API, read in parallel.

        Routes name integrations, and stages deployments, by ids, which are replaced by names once all are
        read.
        """
        integrations = start(self.integrations.read, start)
        authorizers = start(self.authorizers.read)
        routes = start(self.routes.fetch, start)
        deployment_items = start(self._api.items, self._client.get_deployments)
        stage_items = start(self._api.items, self._client.get_stages)
        # Before the routes, which refer to authorizers by their ids.
        found = authorizers()
        return WebSocketApiParts(
            integrations(),
            self.routes.with_names(routes()),
            self.deployments.with_names(deployment_items(), stage_items()),
            self.stages.with_names(stage_items()),
            found,
        )

    def create_api(self, api: Api) -> None:
        """Creates the API with its tags: a later deploy finds it by them if this one is killed."""
        wanted: Any = {
            "Name": api.display_name,
            "ProtocolType": "WEBSOCKET",
            "RouteSelectionExpression": api.route_selection,
            "DisableExecuteApiEndpoint": not api.default_endpoint,
            "Description": api.description,
            "Tags": dict(api.tags),
        }
        self.ids.api, _ = create_once(
            lambda: self._api.no_retry_client.create_api(**wanted)["ApiId"],
            lambda: next(
                (api_id for api_id, found in self.find(api.name, wanted["Tags"]) if found == api), None
            ),
        )

    def update_api(self, before: Api, after: Api) -> None:
        """Updates what differs; the id, and so the address, stays."""
        with_retries(
            self._client.update_api,
            ApiId=self.ids.api,
            Name=after.display_name,
            RouteSelectionExpression=after.route_selection,
            DisableExecuteApiEndpoint=not after.default_endpoint,
            Description=after.description,
        )
        self._api.retag(self.ids.api, before.tags, after.tags)

    def delete_api(self, api: Api) -> None:
        """Deletes the chat's API with all its parts, or a duplicate; a missing API is no error."""
        api_id = api.name if api.name in self.ids.duplicates else self.ids.api
        self._api.delete_if_exists(self._client.delete_api, self._client.get_api, ApiId=api_id)
