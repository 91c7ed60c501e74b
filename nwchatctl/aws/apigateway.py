"""The WebSocket API with its integrations, routes, deployments and stage, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.authorizers import Authorizers
from nwchatctl.aws.patience import once, patiently
from nwchatctl.aws.reading import Start, in_order
from nwchatctl.aws.responses import DEFAULT, TEMPLATE, Responses, pages
from nwchatctl.aws.tagging import changed, from_mapping
from nwchatctl.deploy.adoption import FoundApi
from nwchatctl.deploy.model.pairs import Pairs, pairs
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

_NAMED = "nwchatctl:"
"""Before our name of a thing, in the description of what has no name on AWS."""


@dataclass
class Ids:
    """AWS's ids of what was read or made, by our names. Changes that run at once touch different entries."""

    api: str = ""
    integrations: dict[str, str] = field(default_factory=dict)
    authorizers: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    """The routes that have an authorizer, whether or not they ask it."""
    deployments: dict[str, str] = field(default_factory=dict)
    leftovers: set[str] = field(default_factory=set)
    """Bare APIs of ours that nothing uses; each is its own name."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in an API."""

    integrations: list[Integration]
    routes: list[Route]
    deployments: list[Deployment]
    stages: list[Stage]
    authorizers: list[Authorizer] = field(default_factory=list)


class Gateway:
    """Reads and changes one WebSocket API. `ids` is filled by reading and by making.

    `single` gives a client that sends each call once: AWS makes most things here as often as it is asked to,
    so that botocore must not repeat what may have been carried out. Without it, `client` is such a one.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        arn_prefix: str,
        single: Callable[[], ApiGatewayV2Client] | None = None,
    ) -> None:
        self._client = client
        self._make_single = single or (lambda: client)
        # `arn:aws:apigateway:us-east-2::/apis/`: these ARNs hold no account.
        self._arn_prefix = arn_prefix
        self.ids = Ids()

    @property
    def _single(self) -> ApiGatewayV2Client:
        return self._make_single()

    def every(self, name: str) -> list[FoundApi]:
        """All APIs of the account and region, oldest first; ours is `name`, whatever it is called there."""
        found = pages(self._client.get_apis)
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
            for each in sorted(found, key=lambda each: (str(each.get("CreatedDate", "")), each["ApiId"]))
        ]

    def find(self, name: str, tags: Mapping[str, str]) -> list[tuple[str, Api]]:
        """The WebSocket APIs that carry `tags`, whatever they are called, with their ids; ours is `name`.

        Oldest first.
        """
        return [
            (each.id, each.api)
            for each in self.every(name)
            if each.protocol == "WEBSOCKET" and tags.items() <= dict(each.api.tags).items()
        ]

    def exists(self, api_id: str) -> bool:
        """Whether there is an API of that id, whosever."""
        try:
            patiently(self._client.get_api, ApiId=api_id)
        except self._client.exceptions.NotFoundException:
            return False
        return True

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

    def bare(self, api_id: str) -> bool:
        """Whether nothing was put into the API."""
        reads = (self._client.get_routes, self._client.get_integrations, self._client.get_stages)
        return not any(each for read in reads for each in pages(read, ApiId=api_id))

    def read(self, start: Start = in_order) -> Parts:
        """All that is in the API, asked for at once.

        Routes name integrations, and stages deployments, by ids, which are put into names when all is there.
        """
        integrations = start(self.read_integrations, start)
        authorizers = start(self._authorizers.read)
        routes = start(self._get_routes, start)
        made = start(self._get, self._client.get_deployments)
        serving = start(self._get, self._client.get_stages)
        # Before the routes, which name them by their ids as well.
        found = authorizers()
        return Parts(
            integrations(),
            self._routes(routes()),
            self._deployments(made(), serving()),
            self._stages(serving()),
            found,
        )

    def _get(self, call: Callable[..., Any]) -> list[Any]:
        return list(pages(call, ApiId=self.ids.api))

    def read_integrations(self, start: Start = in_order) -> list[Integration]:
        """All integrations; one that does not bear a name of ours goes by its id."""
        items = self._get(self._client.get_integrations)
        mocks = [each["IntegrationId"] for each in items if each.get("IntegrationType") == "MOCK"]
        templates = {each: start(self._responses.template, each) for each in mocks}
        found = []
        self.ids.integrations.clear()
        for each in items:
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
                    request_template=each.get("RequestTemplates", {}).get(TEMPLATE, "") if mock else "",
                    response_template=templates[each["IntegrationId"]]() if mock else "",
                )
            )
        return found

    def _get_routes(self, start: Start) -> list[tuple[Any, bool]]:
        """All routes as AWS has them, each with whether it answers."""
        items = self._get(self._client.get_routes)
        responses = {
            each["RouteId"]: start(self._responses.of_route, each["RouteId"])
            for each in items
            if each.get("RouteResponseSelectionExpression") == DEFAULT
        }
        answering = {route for route, response in responses.items() if response() is not None}
        return [(each, each["RouteId"] in answering) for each in items]

    def _routes(self, items: list[tuple[Any, bool]]) -> list[Route]:
        names = {identity: name for name, identity in self.ids.integrations.items()}
        asked = {identity: name for name, identity in self.ids.authorizers.items()}
        found = []
        self.ids.guarded.clear()
        for each, answers in items:
            self.ids.routes[each["RouteKey"]] = each["RouteId"]
            authorizer = each.get("AuthorizerId", "")
            if authorizer:
                self.ids.guarded.add(each["RouteKey"])
            authorization = each.get("AuthorizationType", "NONE")
            target = each.get("Target", "").removeprefix("integrations/")
            found.append(
                Route(
                    name=each["RouteKey"],
                    integration=names.get(target, target),
                    authorization=authorization,
                    api_key_required=each.get("ApiKeyRequired", False),
                    answers=answers,
                    authorizer=asked.get(authorizer, authorizer) if authorization == "CUSTOM" else "",
                )
            )
        return found

    def _deployments(self, items: list[Any], stages: list[Any]) -> list[Deployment]:
        """The deployments in AWS's order; one that bears no name of ours goes by its id."""
        served: dict[str, list[str]] = {}
        for each in stages:
            served.setdefault(each.get("DeploymentId", ""), []).append(each["StageName"])
        found = []
        # What is served goes first: of two alike (the answer to a first call was lost) it keeps the name.
        for each in items:
            found.append((each, tuple(sorted(served.get(each["DeploymentId"], ())))))
        self.ids.deployments.clear()
        for each, _ in sorted(found, key=lambda pair: not pair[1]):
            name = _name(each.get("Description", ""))
            marked = bool(name) and name not in self.ids.deployments
            self.ids.deployments[name if marked else each["DeploymentId"]] = each["DeploymentId"]
        names = {identity: name for name, identity in self.ids.deployments.items()}
        return [
            Deployment(
                names[each["DeploymentId"]],
                marked=names[each["DeploymentId"]] != each["DeploymentId"],
                created=str(each.get("CreatedDate", "")),
                held_by=stages_of,
            )
            for each, stages_of in found
        ]

    def read_stages(self) -> list[Stage]:
        """All stages, with the names of those deployments that were read or made before."""
        return self._stages(self._get(self._client.get_stages))

    def _stages(self, items: list[Any]) -> list[Stage]:
        names = {identity: name for name, identity in self.ids.deployments.items()}
        found = []
        for each in items:
            settings = each.get("DefaultRouteSettings", {})
            access = each.get("AccessLogSettings", {})
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
                    # A log group's ARN is written with and without this end.
                    access_log=access.get("DestinationArn", "").removesuffix(":*"),
                    access_format=access.get("Format", ""),
                    execution_log=_execution_log(settings),
                    detailed_metrics=settings.get("DetailedMetricsEnabled", False),
                )
            )
        return found

    def create_api(self, api: Api) -> None:
        """Makes the API with its tags: a deploy killed right after finds it again by them."""
        wanted: Any = {
            "Name": api.display_name,
            "ProtocolType": "WEBSOCKET",
            "RouteSelectionExpression": api.route_selection,
            "DisableExecuteApiEndpoint": not api.default_endpoint,
            "Tags": dict(api.tags),
        }
        self.ids.api, _ = once(
            lambda: self._single.create_api(**wanted)["ApiId"],
            lambda: next(
                (api_id for api_id, found in self.find(api.name, wanted["Tags"]) if found == api), None
            ),
        )

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

    def delete_api(self, api: Api) -> None:
        """Removes the chat's API with all that is in it, or a leftover; gone already is fine."""
        api_id = api.name if api.name in self.ids.leftovers else self.ids.api
        self._gone(self._client.delete_api, ApiId=api_id)

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
                "RequestTemplates": {TEMPLATE: integration.request_template},
                "TemplateSelectionExpression": TEMPLATE,
            }
        known, made = self.ids.integrations.get(integration.name, ""), False
        if not known:
            known, made = once(
                lambda: self._single.create_integration(**wanted)["IntegrationId"],
                lambda: self._described(self._client.get_integrations, "IntegrationId", integration.name),
            )
            self.ids.integrations[integration.name] = known
        if not made:
            patiently(self._client.update_integration, IntegrationId=known, **wanted)
        if integration.response_template:
            self._responses.put_template(known, integration.response_template)

    def delete_integration(self, integration: Integration) -> None:
        """Removes the integration; gone already is fine."""
        known = self.ids.integrations.pop(integration.name)
        self._gone(self._client.delete_integration, ApiId=self.ids.api, IntegrationId=known)

    @property
    def _authorizers(self) -> Authorizers:
        return Authorizers(self._client, self._make_single, self.ids.api, self.ids.authorizers)

    def put_authorizer(self, authorizer: Authorizer, before: Authorizer | None = None) -> None:
        """Makes the authorizer, or changes what was `before`."""
        self._authorizers.put(authorizer, before)

    def delete_authorizer(self, authorizer: Authorizer) -> None:
        """Removes the authorizer; gone already is fine."""
        self._authorizers.delete(authorizer)

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
            wanted["RouteResponseSelectionExpression"] = DEFAULT
        if route.authorizer:
            wanted["AuthorizerId"] = self.ids.authorizers[route.authorizer]
        elif route.name in self.ids.guarded:
            # Else the route may go on holding what is about to be deleted (so terraform-provider-aws).
            wanted["AuthorizerId"] = ""
        known, made = self.ids.routes.get(route.name, ""), False
        if not known:
            known, made = once(
                lambda: self._single.create_route(**wanted)["RouteId"], lambda: self._route_id(route.name)
            )
            self.ids.routes[route.name] = known
        if not made:
            patiently(self._client.update_route, RouteId=known, **wanted)
        response = None if made else self._responses.of_route(known)
        if route.answers and response is None:
            self._responses.answer(known)
        elif response is not None and not route.answers:
            # Without a route response nothing is answered, whatever the expression selects.
            of_route = {"ApiId": self.ids.api, "RouteId": known}
            self._gone(self._client.delete_route_response, **of_route, RouteResponseId=response)

    def delete_route(self, route: Route) -> None:
        """Removes the route; gone already is fine."""
        known = self.ids.routes.pop(route.name)
        self._gone(self._client.delete_route, ApiId=self.ids.api, RouteId=known)

    def create_deployment(self, deployment: Deployment) -> None:
        """Takes a snapshot of routes and integrations, described by their fingerprint."""
        wanted: Any = {"ApiId": self.ids.api, "Description": _NAMED + deployment.name}
        self.ids.deployments[deployment.name], _ = once(
            lambda: self._single.create_deployment(**wanted)["DeploymentId"],
            lambda: self._described(self._client.get_deployments, "DeploymentId", deployment.name),
        )

    def delete_deployment(self, deployment: Deployment) -> None:
        """Removes the deployment; gone already is fine. AWS refuses one that a stage serves."""
        known = self.ids.deployments.pop(deployment.name)
        self._gone(self._client.delete_deployment, ApiId=self.ids.api, DeploymentId=known)

    def create_stage(self, stage: Stage) -> None:
        """Makes the stage with its tags; one of its name that is there is brought to what is wanted."""
        wanted = self._stage(stage)

        def make() -> Stage:
            self._single.create_stage(**wanted, Tags=dict(stage.tags))
            return stage

        found, made = once(make, lambda: next((e for e in self.read_stages() if e.name == stage.name), None))
        if not made:
            self.update_stage(found, stage)

    def update_stage(self, before: Stage, after: Stage) -> None:
        """Changes what differs, in one step for the deployment and the limits."""
        for route_key in before.route_settings:
            self._gone(
                self._client.delete_route_settings,
                ApiId=self.ids.api,
                StageName=after.name,
                RouteKey=route_key,
            )
        if before.access_log and not after.access_log:
            # UpdateStage has no way to say this (botocore's model: "To disable access logging…").
            self._gone(self._client.delete_access_log_settings, ApiId=self.ids.api, StageName=after.name)
        wanted = self._stage(after)
        if before.execution_log or before.detailed_metrics:
            # Outright: whether settings left out stay as they were is documented nowhere.
            off = {"LoggingLevel": "OFF", "DataTraceEnabled": False, "DetailedMetricsEnabled": False}
            wanted["DefaultRouteSettings"] |= off
        # UpdateStage leaves what it is not given; "" takes a variable off (so terraform-provider-aws).
        wanted["StageVariables"] = {name: "" for name, _ in before.variables} | wanted["StageVariables"]
        patiently(self._client.update_stage, **wanted)
        self._retag(f"{self.ids.api}/stages/{after.name}", before.tags, after.tags)

    def delete_stage(self, stage: Stage) -> None:
        """Removes the stage and closes its sockets; gone already is fine."""
        self._gone(self._client.delete_stage, ApiId=self.ids.api, StageName=stage.name)

    def _stage(self, stage: Stage) -> dict[str, Any]:
        access = {"DestinationArn": stage.access_log, "Format": stage.access_format}
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
            **({"AccessLogSettings": access} if stage.access_log else {}),
        }

    @property
    def _responses(self) -> Responses:
        return Responses(self._client, self._make_single, self.ids.api)

    def _route_id(self, name: str) -> str | None:
        found = pages(self._client.get_routes, ApiId=self.ids.api)
        return next((each["RouteId"] for each in found if each["RouteKey"] == name), None)

    def _described(self, call: Callable[..., Any], id_key: str, name: str) -> str | None:
        """The id of the integration or deployment that bears our `name`."""
        found = pages(call, ApiId=self.ids.api)
        return next((each[id_key] for each in found if _name(each.get("Description", "")) == name), None)

    def _retag(self, resource: str, before: Pairs, after: Pairs) -> None:
        put, dropped = changed(before, after)
        if put:
            patiently(self._client.tag_resource, ResourceArn=self._arn_prefix + resource, Tags=dict(put))
        if dropped:
            patiently(self._client.untag_resource, ResourceArn=self._arn_prefix + resource, TagKeys=dropped)

    def _gone(self, call: Callable[..., Any], **wanted: Any) -> None:
        try:
            patiently(call, **wanted)
        except self._client.exceptions.NotFoundException:
            return


def _name(description: str) -> str:
    return description.removeprefix(_NAMED) if description.startswith(_NAMED) else ""


def _execution_log(settings: Mapping[str, Any]) -> str:
    level = settings.get("LoggingLevel", "OFF")
    if settings.get("DataTraceEnabled"):
        return f"{level} with data"
    return "" if level == "OFF" else level
