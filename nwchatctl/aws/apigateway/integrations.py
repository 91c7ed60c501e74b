"""The integrations of a WebSocket API, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchatctl.aws.apigateway.api_client import NAME_PREFIX, ApiClient, name_in
from nwchatctl.aws.apigateway.responses import TEMPLATE, Responses
from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.deploy.model.websocket import Integration

_FOREIGN_SETTINGS = ("ConnectionId", "CredentialsArn", "RequestParameters", "TlsConfig")
"""Settings that the tool never sets, and that AWS returns only if they were set by hand."""


class Integrations:
    """Reads and changes the integrations of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids
        self._responses = Responses(api)

    def read(self, start: StartRead = run_inline) -> list[Integration]:
        """All integrations; one without a name of the tool's is named by its id.

        So is one with settings that the tool never sets: it is replaced, because how to remove each of them
        is undocumented, and because the next deployment would hold them.
        """
        items = self._api.items(self._client.get_integrations)
        mocks = [each["IntegrationId"] for each in items if each.get("IntegrationType") == "MOCK"]
        templates = {each: start(self._responses.template, each) for each in mocks}
        found = []
        self._ids.integrations.clear()
        for each in items:
            name = name_in(each.get("Description", "")) or each["IntegrationId"]
            if name in self._ids.integrations or _has_foreign_settings(each):
                # The first: a duplicate after a lost response, which is not wanted.
                name = each["IntegrationId"]
            self._ids.integrations[name] = each["IntegrationId"]
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

    def put(self, integration: Integration) -> None:
        """Creates or updates the integration, and the response of a MOCK."""
        wanted: dict[str, Any] = {
            "ApiId": self._ids.api,
            "IntegrationType": integration.type,
            "Description": NAME_PREFIX + integration.name,
            "TimeoutInMillis": integration.timeout_ms,
        }
        if integration.uri:
            wanted |= {"IntegrationUri": integration.uri, "IntegrationMethod": "POST"}
        if integration.request_template:
            wanted |= {
                "RequestTemplates": {TEMPLATE: integration.request_template},
                "TemplateSelectionExpression": TEMPLATE,
            }
        aws_id, created = self._ids.integrations.get(integration.name, ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._api.no_retry_client.create_integration(**wanted)["IntegrationId"],
                lambda: self._api.find(
                    self._client.get_integrations, {"Description": wanted["Description"]}
                ).get("IntegrationId"),
            )
            self._ids.integrations[integration.name] = aws_id
        if not created:
            with_retries(self._client.update_integration, IntegrationId=aws_id, **wanted)
        if integration.response_template:
            self._responses.put_template(aws_id, integration.response_template)

    def delete(self, integration: Integration) -> None:
        """Deletes the integration; a missing one is no error."""
        aws_id = self._ids.integrations.pop(integration.name)
        self._api.delete_if_exists(self._client.delete_integration, ApiId=self._ids.api, IntegrationId=aws_id)


def _has_foreign_settings(found: Mapping[str, Any]) -> bool:
    """Whether an integration has settings that the tool never sets, and so does not compare."""
    own_templates = {TEMPLATE} if found.get("IntegrationType") == "MOCK" else set()
    return (
        any(map(found.get, _FOREIGN_SETTINGS))
        or bool(set(found.get("RequestTemplates", ())) - own_templates)
        or found.get("ContentHandlingStrategy") == "CONVERT_TO_BINARY"
    )
