"""The WebSocket API with its integrations, routes, deployments and stage, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.errors import patiently
from nwchatctl.aws.tagging import changed, from_mapping
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.model import Api, Deployment, Integration, Pairs, Route, Stage, pairs

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

_NAMED = "nwchatctl:"
"""Before our name of a thing, in the description of what has no name on AWS."""

_DEFAULT = "$default"

_TEMPLATE = "200"
"""The template key of a MOCK: its selection expression is this literal, as the console writes it."""


@dataclass
class Ids:
    """AWS's ids of what was read or made, by our names. Changes that run at once touch different entries."""

    api: str = ""
    integrations: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    deployments: dict[str, str] = field(default_factory=dict)


def pages(call: Callable[..., Any], **wanted: Any) -> Iterator[Any]:
    """Every item of a Get… call. The v2 API has no paginator for some of them, and one shape for all."""
    token: dict[str, str] = {}
    while True:
        answer = call(**wanted, **token)
        yield from answer.get("Items", [])
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


class Gateway:
    """Reads and changes one WebSocket API. `ids` is filled by reading and by making."""

    def __init__(self, client: ApiGatewayV2Client, arn_prefix: str) -> None:
        self._client = client
        # `arn:aws:apigateway:us-east-2::/apis/`: these ARNs hold no account.
        self._arn_prefix = arn_prefix
        self.ids = Ids()

    def every(self, name: str) -> list[FoundApi]:
        """All APIs of the account and region; ours is called `name`, whatever it is called there."""
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
                ),
            )
            for each in pages(self._client.get_apis)
        ]

    def find(self, name: str, tags: Mapping[str, str]) -> list[tuple[str, Api]]:
        """The WebSocket APIs that carry `tags`, whatever they are called, with their ids; ours is `name`."""
        return [
            (each.id, each.api)
            for each in self.every(name)
            if each.protocol == "WEBSOCKET" and tags.items() <= dict(each.api.tags).items()
        ]

    def stage_names(self, api_id: str) -> list[str]:
        """The stages of any API."""
        return [each["StageName"] for each in pages(self._client.get_stages, ApiId=api_id)]

    def stage_changed_at(self, name: str) -> int:
        """When the stage, with the deployment that it serves, was last changed, in epoch ms."""
        found = self._client.get_stage(ApiId=self.ids.api, StageName=name)
        return round(found["LastUpdatedDate"].timestamp() * 1000)

    def name_deployment(self, identity: str, name: str) -> None:
        """Describes the deployment of that id as ours, so that it is kept as ours are."""
        patiently(
            self._client.update_deployment,
            ApiId=self.ids.api,
            DeploymentId=identity,
            Description=_NAMED + name,
        )
        self.ids.deployments[name] = identity

    def read_integrations(self) -> list[Integration]:
        """All integrations; one that does not bear a name of ours goes by its id."""
        found = []
        for each in pages(self._client.get_integrations, ApiId=self.ids.api):
            name = _name(each.get("Description", "")) or each["IntegrationId"]
            if name in self.ids.integrations:
                # Made twice (a call whose answer was lost): the second is not wanted.
                name = each["IntegrationId"]
            self.ids.integrations[name] = each["IntegrationId"]
            mock = each.get("IntegrationType") == "MOCK"
            found.append(
                Integration(
                    name=name,
                    type=each.get("IntegrationType", ""),
                    uri="" if mock else each.get("IntegrationUri", ""),
                    timeout_ms=each.get("TimeoutInMillis", 29_000),
                    request_template=each.get("RequestTemplates", {}).get(_TEMPLATE, "") if mock else "",
                    response_template=self._response_template(each["IntegrationId"]) if mock else "",
                )
            )
        return found

    def read_routes(self) -> list[Route]:
        """All routes. Integrations have to be read first: a route names them by id."""
        names = {identity: name for name, identity in self.ids.integrations.items()}
        found = []
        for each in pages(self._client.get_routes, ApiId=self.ids.api):
            self.ids.routes[each["RouteKey"]] = each["RouteId"]
            target = each.get("Target", "").removeprefix("integrations/")
            found.append(
                Route(
                    name=each["RouteKey"],
                    integration=names.get(target, target),
                    authorization=each.get("AuthorizationType", "NONE"),
                    api_key_required=each.get("ApiKeyRequired", False),
                    answers=each.get("RouteResponseSelectionExpression") == _DEFAULT
                    and self._response_id(each["RouteId"]) is not None,
                )
            )
        return found

    def read_deployments(self) -> list[Deployment]:
        """The deployments that bear a fingerprint of ours; of two alike, either serves."""
        for each in pages(self._client.get_deployments, ApiId=self.ids.api):
            if name := _name(each.get("Description", "")):
                self.ids.deployments[name] = each["DeploymentId"]
        return [Deployment(name) for name in self.ids.deployments]

    def read_stages(self) -> list[Stage]:
        """All stages. Deployments have to be read first: a stage names them by id."""
        names = {identity: name for name, identity in self.ids.deployments.items()}
        found = []
        for each in pages(self._client.get_stages, ApiId=self.ids.api):
            settings = each.get("DefaultRouteSettings", {})
            deployment = each.get("DeploymentId", "")
            found.append(
                Stage(
                    name=each["StageName"],
                    deployment=names.get(deployment, deployment),
                    auto_deploy=each.get("AutoDeploy", False),
                    throttle_rate=float(settings.get("ThrottlingRateLimit", 0)),
                    throttle_burst=int(settings.get("ThrottlingBurstLimit", 0)),
                    route_settings=tuple(sorted(each.get("RouteSettings", {}))),
                    variables=pairs(
                        {key: text for key, text in each.get("StageVariables", {}).items() if text}
                    ),
                    tags=from_mapping(each.get("Tags", {})),
                )
            )
        return found

    def create_api(self, api: Api) -> None:
        """Makes the API with its tags: a deploy killed right after finds it again by them."""
        self.ids.api = patiently(
            self._client.create_api,
            Name=api.display_name,
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression=api.route_selection,
            DisableExecuteApiEndpoint=not api.default_endpoint,
            Tags=dict(api.tags),
        )["ApiId"]

    def update_api(self, before: Api, after: Api) -> None:
        """Changes what differs; the id, and so the address, stays."""
        patiently(
            self._client.update_api,
            ApiId=self.ids.api,
            Name=after.display_name,
            RouteSelectionExpression=after.route_selection,
            DisableExecuteApiEndpoint=not after.default_endpoint,
        )
        self._retag(self.ids.api, before.tags, after.tags)

    def delete_api(self) -> None:
        """Removes the API with all that is in it; gone already is fine."""
        self._gone(self._client.delete_api, ApiId=self.ids.api)

    def put_integration(self, integration: Integration) -> None:
        """Makes or changes the integration, and a MOCK's response with it."""
        wanted: dict[str, Any] = {
            "ApiId": self.ids.api,
            "IntegrationType": integration.type,
            "Description": _NAMED + integration.name,
            "TimeoutInMillis": integration.timeout_ms,
        }
        if integration.uri:
            wanted |= {"IntegrationUri": integration.uri, "IntegrationMethod": "POST"}
        if integration.request_template:
            wanted |= {
                "RequestTemplates": {_TEMPLATE: integration.request_template},
                "TemplateSelectionExpression": _TEMPLATE,
            }
        known = self.ids.integrations.get(integration.name)
        if known is None:
            known = patiently(self._client.create_integration, **wanted)["IntegrationId"]
            self.ids.integrations[integration.name] = known
        else:
            patiently(self._client.update_integration, IntegrationId=known, **wanted)
        if integration.response_template:
            self._put_response_template(known, integration.response_template)

    def delete_integration(self, integration: Integration) -> None:
        """Removes the integration; gone already is fine."""
        known = self.ids.integrations.pop(integration.name)
        self._gone(self._client.delete_integration, ApiId=self.ids.api, IntegrationId=known)

    def put_route(self, route: Route) -> None:
        """Makes or changes the route, and makes or removes its route response."""
        wanted: dict[str, Any] = {
            "ApiId": self.ids.api,
            "RouteKey": route.name,
            "Target": f"integrations/{self.ids.integrations[route.integration]}",
            "AuthorizationType": route.authorization,
            "ApiKeyRequired": route.api_key_required,
        }
        if route.answers:
            wanted["RouteResponseSelectionExpression"] = _DEFAULT
        known = self.ids.routes.get(route.name)
        if known is None:
            known = patiently(self._client.create_route, **wanted)["RouteId"]
            self.ids.routes[route.name] = known
            response = None
        else:
            patiently(self._client.update_route, RouteId=known, **wanted)
            response = self._response_id(known)
        of_route: dict[str, Any] = {"ApiId": self.ids.api, "RouteId": known}
        if route.answers and response is None:
            patiently(self._client.create_route_response, **of_route, RouteResponseKey=_DEFAULT)
        elif response is not None and not route.answers:
            # Without a route response nothing is answered, whatever the expression selects.
            self._gone(self._client.delete_route_response, **of_route, RouteResponseId=response)

    def delete_route(self, route: Route) -> None:
        """Removes the route; gone already is fine."""
        known = self.ids.routes.pop(route.name)
        self._gone(self._client.delete_route, ApiId=self.ids.api, RouteId=known)

    def create_deployment(self, deployment: Deployment) -> None:
        """Takes a snapshot of routes and integrations, described by their fingerprint."""
        self.ids.deployments[deployment.name] = patiently(
            self._client.create_deployment, ApiId=self.ids.api, Description=_NAMED + deployment.name
        )["DeploymentId"]

    def create_stage(self, stage: Stage) -> None:
        """Makes the stage with its tags."""
        patiently(self._client.create_stage, **self._stage(stage), Tags=dict(stage.tags))

    def update_stage(self, before: Stage, after: Stage) -> None:
        """Changes what differs, in one step for the deployment and the limits."""
        for route_key in before.route_settings:
            self._gone(
                self._client.delete_route_settings,
                ApiId=self.ids.api,
                StageName=after.name,
                RouteKey=route_key,
            )
        wanted = self._stage(after)
        # UpdateStage leaves what it is not given; "" takes a variable off (so terraform-provider-aws).
        wanted["StageVariables"] = {name: "" for name, _ in before.variables} | wanted["StageVariables"]
        patiently(self._client.update_stage, **wanted)
        self._retag(f"{self.ids.api}/stages/{after.name}", before.tags, after.tags)

    def delete_stage(self, stage: Stage) -> None:
        """Removes the stage and closes its sockets; gone already is fine."""
        self._gone(self._client.delete_stage, ApiId=self.ids.api, StageName=stage.name)

    def _stage(self, stage: Stage) -> dict[str, Any]:
        return {
            "ApiId": self.ids.api,
            "StageName": stage.name,
            "DeploymentId": self.ids.deployments[stage.deployment],
            "AutoDeploy": stage.auto_deploy,
            # Always both: a stage given other settings without them has been seen to throttle at 0.
            "DefaultRouteSettings": {
                "ThrottlingRateLimit": stage.throttle_rate,
                "ThrottlingBurstLimit": stage.throttle_burst,
            },
            "StageVariables": dict(stage.variables),
        }

    def _response_template(self, integration: str) -> str:
        found = self._response(integration)
        return str(found.get("ResponseTemplates", {}).get(_TEMPLATE, "")) if found else ""

    def _put_response_template(self, integration: str, template: str) -> None:
        wanted: dict[str, Any] = {
            "ApiId": self.ids.api,
            "IntegrationId": integration,
            "IntegrationResponseKey": _DEFAULT,
            "ResponseTemplates": {_TEMPLATE: template},
            "TemplateSelectionExpression": _TEMPLATE,
        }
        found = self._response(integration)
        if found is None:
            patiently(self._client.create_integration_response, **wanted)
        elif found.get("ResponseTemplates", {}) != wanted["ResponseTemplates"]:
            known = found["IntegrationResponseId"]
            patiently(self._client.update_integration_response, IntegrationResponseId=known, **wanted)

    def _response(self, integration: str) -> Any:
        found = pages(self._client.get_integration_responses, ApiId=self.ids.api, IntegrationId=integration)
        return next((each for each in found if each.get("IntegrationResponseKey") == _DEFAULT), None)

    def _response_id(self, route: str) -> str | None:
        found = pages(self._client.get_route_responses, ApiId=self.ids.api, RouteId=route)
        return next((each["RouteResponseId"] for each in found if each["RouteResponseKey"] == _DEFAULT), None)

    def _retag(self, resource: str, before: Pairs, after: Pairs) -> None:
        put, dropped = changed(before, after)
        if put:
            self._client.tag_resource(ResourceArn=self._arn_prefix + resource, Tags=dict(put))
        if dropped:
            self._client.untag_resource(ResourceArn=self._arn_prefix + resource, TagKeys=dropped)

    def _gone(self, call: Callable[..., Any], **wanted: Any) -> None:
        try:
            patiently(call, **wanted)
        except self._client.exceptions.NotFoundException:
            return


def _name(description: str) -> str:
    return description.removeprefix(_NAMED) if description.startswith(_NAMED) else ""
