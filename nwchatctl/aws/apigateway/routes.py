"""The routes of a WebSocket API with their responses, as API Gateway v2 spells them."""

from __future__ import annotations

from typing import Any

from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.apigateway.responses import DEFAULT, Responses
from nwchatctl.aws.core.parallel import StartRead
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.deploy.model.websocket import Route

_FOREIGN_SETTINGS = ("ModelSelectionExpression", "RequestModels", "RequestParameters")
"""Settings that the tool never sets: they refuse what clients send."""


class Routes:
    """Reads and changes the routes of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids
        self._responses = Responses(api)

    def fetch(self, start: StartRead) -> list[tuple[Any, bool]]:
        """All routes as AWS returns them, each with whether it has a response."""
        items = self._api.items(self._client.get_routes)
        responses = {
            each["RouteId"]: start(self._responses.route_response_id, each["RouteId"])
            for each in items
            if each.get("RouteResponseSelectionExpression") == DEFAULT
        }
        answering = {route for route, response in responses.items() if response() is not None}
        return [(each, each["RouteId"] in answering) for each in items]

    def with_names(self, items: list[tuple[Any, bool]]) -> list[Route]:
        """The fetched routes as model data, with the names of integrations and authorizers that were read
        before."""
        names = {aws_id: name for name, aws_id in self._ids.integrations.items()}
        authorizer_names = {aws_id: name for name, aws_id in self._ids.authorizers.items()}
        found = []
        self._ids.routes_with_authorizer.clear()
        self._ids.routes_with_other_settings.clear()
        for each, answers in items:
            self._ids.routes[each["RouteKey"]] = each["RouteId"]
            authorizer = each.get("AuthorizerId", "")
            if authorizer:
                self._ids.routes_with_authorizer.add(each["RouteKey"])
            other = tuple(setting for setting in _FOREIGN_SETTINGS if each.get(setting))
            if other:
                self._ids.routes_with_other_settings.add(each["RouteKey"])
            authorization = each.get("AuthorizationType", "NONE")
            target = each.get("Target", "").removeprefix("integrations/")
            found.append(
                Route(
                    name=each["RouteKey"],
                    integration=names.get(target, target),
                    authorization=authorization,
                    api_key_required=each.get("ApiKeyRequired", False),
                    answers=answers,
                    authorizer=authorizer_names.get(authorizer, authorizer)
                    if authorization == "CUSTOM"
                    else "",
                    other=other,
                )
            )
        return found

    def put(self, route: Route) -> None:
        """Creates or updates the route, and creates or deletes its response.

        A route with settings that the tool never sets is created again: how to remove each is undocumented,
        and no client notices, because the stage serves the route as its deployment holds it.
        """
        if route.name in self._ids.routes_with_other_settings:
            self.delete(route)
            self._ids.routes_with_other_settings.discard(route.name)
            self._ids.routes_with_authorizer.discard(route.name)
        wanted: dict[str, Any] = {
            "ApiId": self._ids.api,
            "RouteKey": route.name,
            "Target": f"integrations/{self._ids.integrations[route.integration]}",
            "AuthorizationType": route.authorization,
            "ApiKeyRequired": route.api_key_required,
        }
        if route.answers:
            wanted["RouteResponseSelectionExpression"] = DEFAULT
        if route.authorizer:
            wanted["AuthorizerId"] = self._ids.authorizers[route.authorizer]
        elif route.name in self._ids.routes_with_authorizer:
            # Otherwise the route may keep an authorizer that is about to be deleted (as
            # terraform-provider-aws).
            wanted["AuthorizerId"] = ""
        aws_id, created = self._ids.routes.get(route.name, ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._api.no_retry_client.create_route(**wanted)["RouteId"],
                lambda: self._api.find(self._client.get_routes, {"RouteKey": route.name}).get("RouteId"),
            )
            self._ids.routes[route.name] = aws_id
        if not created:
            with_retries(self._client.update_route, RouteId=aws_id, **wanted)
        response = None if created else self._responses.route_response_id(aws_id)
        if route.answers and response is None:
            self._responses.create_route_response(aws_id)
        elif response is not None and not route.answers:
            # Without a route response the client receives none, whatever the expression selects.
            of_route: Any = {"ApiId": self._ids.api, "RouteId": aws_id}
            self._api.delete_if_exists(
                self._client.delete_route_response, **of_route, RouteResponseId=response
            )

    def delete(self, route: Route) -> None:
        """Deletes the route; a missing one is no error."""
        aws_id = self._ids.routes.pop(route.name)
        self._api.delete_if_exists(self._client.delete_route, ApiId=self._ids.api, RouteId=aws_id)
