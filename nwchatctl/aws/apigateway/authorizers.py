"""The authorizers of an API, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.apigateway.common import pages
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.deploy.model.websocket import Authorizer

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client


class Authorizers:
    """Reads and changes the authorizers of the API `api_id`; `ids` maps the tool's names to AWS's ids.

    `make_no_retry_client` returns a client that sends each call once: each CreateAuthorizer makes another
    one.
    """

    def __init__(
        self,
        client: ApiGatewayV2Client,
        make_no_retry_client: Callable[[], ApiGatewayV2Client],
        api_id: str,
        ids: dict[str, str],
    ) -> None:
        self._client = client
        self._make_no_retry_client = make_no_retry_client
        self._api_id = api_id
        self._ids = ids

    def read(self) -> list[Authorizer]:
        """All authorizers; of two with the same name, the second is named by its id."""
        found = []
        self._ids.clear()
        for each in pages(self._client.get_authorizers, ApiId=self._api_id):
            aws_id = each["AuthorizerId"]
            name = each["Name"] if each["Name"] not in self._ids else aws_id
            self._ids[name] = aws_id
            found.append(
                Authorizer(
                    name=name,
                    type=each.get("AuthorizerType", ""),
                    uri=each.get("AuthorizerUri", ""),
                    identity_sources=tuple(each.get("IdentitySource", ())),
                    credentials=each.get("AuthorizerCredentialsArn", ""),
                )
            )
        return found

    def put(self, authorizer: Authorizer, before: Authorizer | None = None) -> None:
        """Creates the authorizer, or updates it from `before`."""
        wanted: Any = {
            "ApiId": self._api_id,
            "Name": authorizer.name,
            "AuthorizerType": authorizer.type,
            "AuthorizerUri": authorizer.uri,
            "IdentitySource": list(authorizer.identity_sources),
        }
        aws_id, created = self._ids.get(authorizer.name, ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._make_no_retry_client().create_authorizer(**wanted)["AuthorizerId"],
                lambda: self._find_id(authorizer.name),
            )
            self._ids[authorizer.name] = aws_id
        if not created:
            if before is not None and before.credentials != authorizer.credentials:
                # "" removes a role that was set by hand (as terraform-provider-aws).
                wanted["AuthorizerCredentialsArn"] = authorizer.credentials
            with_retries(self._client.update_authorizer, AuthorizerId=aws_id, **wanted)

    def delete(self, authorizer: Authorizer) -> None:
        """Deletes the authorizer; a missing one is no error."""
        aws_id = self._ids.pop(authorizer.name)
        try:
            with_retries(self._client.delete_authorizer, ApiId=self._api_id, AuthorizerId=aws_id)
        except self._client.exceptions.NotFoundException:
            return

    def _find_id(self, name: str) -> str | None:
        found = pages(self._client.get_authorizers, ApiId=self._api_id)
        return next((each["AuthorizerId"] for each in found if each["Name"] == name), None)
