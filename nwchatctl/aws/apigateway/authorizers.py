"""The authorizers of an API, as API Gateway v2 spells them."""

from __future__ import annotations

from typing import Any

from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.deploy.model.websocket import Authorizer


class Authorizers:
    """Reads and changes the authorizers of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids

    def read(self) -> list[Authorizer]:
        """All authorizers; of two with the same name, the second is named by its id."""
        found = []
        ids = self._ids.authorizers
        ids.clear()
        for each in self._api.items(self._client.get_authorizers):
            aws_id = each["AuthorizerId"]
            name = each["Name"] if each["Name"] not in ids else aws_id
            ids[name] = aws_id
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
            "ApiId": self._ids.api,
            "Name": authorizer.name,
            "AuthorizerType": authorizer.type,
            "AuthorizerUri": authorizer.uri,
            "IdentitySource": list(authorizer.identity_sources),
        }
        aws_id, created = self._ids.authorizers.get(authorizer.name, ""), False
        if not aws_id:
            aws_id, created = create_once(
                lambda: self._api.no_retry_client.create_authorizer(**wanted)["AuthorizerId"],
                lambda: self._api.find(self._client.get_authorizers, {"Name": authorizer.name}).get(
                    "AuthorizerId"
                ),
            )
            self._ids.authorizers[authorizer.name] = aws_id
        if not created:
            if before is not None and before.credentials != authorizer.credentials:
                # "" removes a role that was set by hand (as terraform-provider-aws).
                wanted["AuthorizerCredentialsArn"] = authorizer.credentials
            with_retries(self._client.update_authorizer, AuthorizerId=aws_id, **wanted)

    def delete(self, authorizer: Authorizer) -> None:
        """Deletes the authorizer; a missing one is no error."""
        aws_id = self._ids.authorizers.pop(authorizer.name)
        self._api.delete_if_exists(self._client.delete_authorizer, ApiId=self._ids.api, AuthorizerId=aws_id)
