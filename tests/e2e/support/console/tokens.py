"""Changes to the authorizer and the token keys that are made in the console."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.e2e.support.chat import eventually
from tests.e2e.support.operator import Operator


def parameter(chat: Operator) -> str:
    return f"/nwchat-{chat.name}/token-keys"


def authorizer(chat: Operator) -> dict[str, Any]:
    (found,) = chat.api.get_authorizers(ApiId=chat.api_id)["Items"]
    return {"ApiId": chat.api_id, "AuthorizerId": found["AuthorizerId"]}


def uri_changed(chat: Operator) -> None:
    chat.api.update_authorizer(**authorizer(chat), AuthorizerUri="arn:aws:apigateway:us-east-2:lambda:path/x")


def sources_changed(chat: Operator) -> None:
    chat.api.update_authorizer(**authorizer(chat), IdentitySource=["route.request.querystring.token"])


def authorizer_deleted(chat: Operator) -> None:
    chat.api.delete_authorizer(**authorizer(chat))


def another_authorizer(chat: Operator) -> None:
    chat.api.create_authorizer(
        ApiId=chat.api_id,
        Name="authorize",
        AuthorizerType="REQUEST",
        IdentitySource=[],
        AuthorizerUri="arn:x",
    )


def route_opened(chat: Operator) -> None:
    chat.api.update_route(
        ApiId=chat.api_id, RouteId=chat.route("$connect")["RouteId"], AuthorizationType="NONE"
    )


def permission_removed(chat: Operator) -> None:
    chat.root("lambda").remove_permission(
        FunctionName=chat.resource_name("authorize"), Qualifier="live", StatementId="nwchat-authorizer"
    )


def keys_deleted(chat: Operator) -> None:
    chat.root("ssm").delete_parameter(Name=parameter(chat))


def keys_in_plain(chat: Operator) -> None:
    keys_deleted(chat)
    orphan_keys(chat)


def orphan_keys(chat: Operator) -> None:
    """A parameter of the chat's, with nothing in it that is a key."""
    client = chat.root("ssm")
    tags = [{"Key": key, "Value": value} for key, value in chat.tags.items()]

    def is_created() -> bool:
        """The name is not free for a moment after a deletion."""
        with suppress(client.exceptions.ParameterAlreadyExists):
            client.put_parameter(Name=parameter(chat), Type="String", Value="{}", Tags=tags)
            return True
        return False

    eventually(is_created, True)


def keys_tagged(chat: Operator) -> None:
    chat.root("ssm").add_tags_to_resource(
        ResourceType="Parameter", ResourceId=parameter(chat), Tags=[{"Key": "by", "Value": "hand"}]
    )
