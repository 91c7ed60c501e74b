"""The responses that a WebSocket API gives without a function: route responses, and integration responses
with their templates."""

from __future__ import annotations

from typing import Any

from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.core.retry import create_once, with_retries

DEFAULT = "$default"

TEMPLATE = "200"
"""The template key of a MOCK: its selection expression is this literal, as the console writes it."""


class Responses:
    """Reads and changes the responses of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids

    def route_response_id(self, route: str) -> str | None:
        """The id of a route's response; None if it has none."""
        wanted = {"RouteResponseKey": DEFAULT}
        found = self._api.find(self._client.get_route_responses, wanted, RouteId=route)
        response_id: str | None = found.get("RouteResponseId")
        return response_id

    def create_route_response(self, route: str) -> None:
        """Creates the response of a route that has none."""
        wanted: Any = {"ApiId": self._ids.api, "RouteId": route, "RouteResponseKey": DEFAULT}
        create_once(
            lambda: self._api.no_retry_client.create_route_response(**wanted)["RouteResponseId"],
            lambda: self.route_response_id(route),
        )

    def template(self, integration: str) -> str:
        """The response template of a MOCK integration, "" if none is set."""
        return str(self._integration_response(integration).get("ResponseTemplates", {}).get(TEMPLATE, ""))

    def put_template(self, integration: str, template: str) -> None:
        """Sets the response template of a MOCK integration."""
        wanted: dict[str, Any] = {
            "ApiId": self._ids.api,
            "IntegrationId": integration,
            "IntegrationResponseKey": DEFAULT,
            "ResponseTemplates": {TEMPLATE: template},
            "TemplateSelectionExpression": TEMPLATE,
        }
        found = self._integration_response(integration)
        if not found:
            found, _ = create_once(
                lambda: self._api.no_retry_client.create_integration_response(**wanted),
                lambda: self._integration_response(integration) or None,
            )
        if found.get("ResponseTemplates", wanted["ResponseTemplates"]) != wanted["ResponseTemplates"]:
            response_id = found["IntegrationResponseId"]
            with_retries(
                self._client.update_integration_response, IntegrationResponseId=response_id, **wanted
            )

    def _integration_response(self, integration: str) -> Any:
        wanted = {"IntegrationResponseKey": DEFAULT}
        return self._api.find(self._client.get_integration_responses, wanted, IntegrationId=integration)
