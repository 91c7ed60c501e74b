"""The responses that a WebSocket API gives without a function: route responses, and integration responses
with their templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.common import pages
from nwchatctl.aws.core.retry import create_once, with_retries

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

DEFAULT = "$default"

TEMPLATE = "200"
"""The template key of a MOCK: its selection expression is this literal, as the console writes it."""


class Responses:
    """Reads and changes the responses of the API `api_id`. `make_no_retry_client` returns a client that sends
    each call once."""

    def __init__(
        self, client: ApiGatewayV2Client, make_no_retry_client: Callable[[], ApiGatewayV2Client], api_id: str
    ) -> None:
        self._client = client
        self._make_no_retry_client = make_no_retry_client
        self._api_id = api_id

    def route_response_id(self, route: str) -> str | None:
        """The id of a route's response; None if it has none."""
        found = pages(self._client.get_route_responses, ApiId=self._api_id, RouteId=route)
        return next((each["RouteResponseId"] for each in found if each["RouteResponseKey"] == DEFAULT), None)

    def create_route_response(self, route: str) -> None:
        """Creates the response of a route that has none."""
        wanted: Any = {"ApiId": self._api_id, "RouteId": route, "RouteResponseKey": DEFAULT}
        create_once(
            lambda: self._make_no_retry_client().create_route_response(**wanted)["RouteResponseId"],
            lambda: self.route_response_id(route),
        )

    def template(self, integration: str) -> str:
        """The response template of a MOCK integration, "" if none is set."""
        found = self._integration_response(integration)
        return str(found.get("ResponseTemplates", {}).get(TEMPLATE, "")) if found else ""

    def put_template(self, integration: str, template: str) -> None:
        """Sets the response template of a MOCK integration."""
        wanted: dict[str, Any] = {
            "ApiId": self._api_id,
            "IntegrationId": integration,
            "IntegrationResponseKey": DEFAULT,
            "ResponseTemplates": {TEMPLATE: template},
            "TemplateSelectionExpression": TEMPLATE,
        }
        found = self._integration_response(integration)
        if found is None:
            found, _ = create_once(
                lambda: self._make_no_retry_client().create_integration_response(**wanted),
                lambda: self._integration_response(integration),
            )
        if found.get("ResponseTemplates", wanted["ResponseTemplates"]) != wanted["ResponseTemplates"]:
            response_id = found["IntegrationResponseId"]
            with_retries(
                self._client.update_integration_response, IntegrationResponseId=response_id, **wanted
            )

    def _integration_response(self, integration: str) -> Any:
        found = pages(self._client.get_integration_responses, ApiId=self._api_id, IntegrationId=integration)
        return next((each for each in found if each.get("IntegrationResponseKey") == DEFAULT), None)
