"""Listing and tagging, as APIs and domain names of API Gateway v2 share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.core.retry import with_retries
from nwchatctl.aws.core.tagged_deletion import delete_tagged
from nwchatctl.aws.core.tags import tag_changes
from nwchatctl.deploy.model.string_map import StringMap

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client


def pages(call: Callable[..., Any], **parameters: Any) -> Iterator[Any]:
    """All items of a Get… call, with retries. The v2 API lacks paginators for some of these calls; all have
    the same shape."""
    token: dict[str, str] = {}
    while True:
        response = with_retries(call, **parameters, **token)
        yield from response.get("Items", [])
        if not response.get("NextToken"):
            return
        token = {"NextToken": response["NextToken"]}


def list_apis(client: ApiGatewayV2Client) -> list[Any]:
    """All APIs of the account and Region as AWS returns them, oldest first."""
    return sorted(pages(client.get_apis), key=lambda each: (str(each.get("CreatedDate", "")), each["ApiId"]))


def delete_if_exists(
    client: ApiGatewayV2Client,
    delete: Callable[..., Any],
    get: Callable[..., Any] | None = None,
    **parameters: Any,
) -> None:
    """Sends a delete call; a missing object is no error.

    `get` is the Get… call of an object that has tags; it takes the same parameters.
    """

    def exists() -> bool:
        if get is not None:
            with_retries(get, **parameters)
        return True

    # Either call says so.
    with suppress(client.exceptions.NotFoundException):
        delete_tagged(lambda: with_retries(delete, **parameters), exists)


def retag(client: ApiGatewayV2Client, arn: str, before: StringMap, after: StringMap) -> None:
    """Updates the tags of `arn` that differ."""
    put, dropped = tag_changes(before, after)
    if put:
        with_retries(client.tag_resource, ResourceArn=arn, Tags=dict(put))
    if dropped:
        with_retries(client.untag_resource, ResourceArn=arn, TagKeys=dropped)
