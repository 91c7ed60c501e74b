"""Changes to the history API that are made in the console."""

from __future__ import annotations

from typing import Any

from tests.e2e.support.console.core import ConsoleChange
from tests.e2e.support.operator import Operator


def api(**settings: Any) -> ConsoleChange:
    """UpdateApi."""
    return lambda chat: chat.api.update_api(ApiId=chat.history_id, **settings)


def stage(**settings: Any) -> ConsoleChange:
    """UpdateStage."""
    return lambda chat: chat.api.update_stage(ApiId=chat.history_id, StageName="$default", **settings)


def integration(**settings: Any) -> ConsoleChange:
    """UpdateIntegration."""
    return lambda chat: chat.api.update_integration(
        ApiId=chat.history_id, IntegrationId=_integration(chat), **settings
    )


def cors_deleted(chat: Operator) -> None:
    chat.api.delete_cors_configuration(ApiId=chat.history_id)


def cors_widened(chat: Operator) -> None:
    cors = {
        "AllowOrigins": ["https://evil.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["*"],
        "ExposeHeaders": ["x-secret"],
        "AllowCredentials": True,
        "MaxAge": 1,
    }
    chat.api.update_api(ApiId=chat.history_id, CorsConfiguration=cors)


def route_added(chat: Operator) -> None:
    target = f"integrations/{_integration(chat)}"
    chat.api.create_route(ApiId=chat.history_id, RouteKey="ANY /extra", Target=target)


def route_deleted(chat: Operator) -> None:
    chat.api.delete_route(ApiId=chat.history_id, RouteId=_route(chat, "GET /messages"))


def route_authorized(chat: Operator) -> None:
    chat.api.update_route(
        ApiId=chat.history_id, RouteId=_route(chat, "GET /messages"), AuthorizationType="AWS_IAM"
    )


def integration_added(chat: Operator) -> None:
    """A second one, to which a route leads."""
    made = chat.api.create_integration(
        ApiId=chat.history_id,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="GET",
        IntegrationUri="https://evil.example",
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    chat.api.update_route(
        ApiId=chat.history_id, RouteId=_route(chat, "GET /health"), Target=f"integrations/{made}"
    )


def integration_changed(chat: Operator) -> None:
    integration(RequestParameters={"overwrite:path": "/else"})(chat)


def integration_deleted(chat: Operator) -> None:
    chat.api.delete_integration(ApiId=chat.history_id, IntegrationId=_integration(chat))


def stage_deleted(chat: Operator) -> None:
    chat.api.delete_stage(ApiId=chat.history_id, StageName="$default")


def stage_added(chat: Operator) -> None:
    chat.api.create_stage(ApiId=chat.history_id, StageName="extra", AutoDeploy=True)


def stage_changed(chat: Operator) -> None:
    stage(
        RouteSettings={"GET /messages": {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 1}},
        StageVariables={"stray": "x"},
        DefaultRouteSettings={
            "ThrottlingRateLimit": 0,
            "ThrottlingBurstLimit": 0,
            "DetailedMetricsEnabled": True,
        },
    )(chat)


def tagged(chat: Operator) -> None:
    for part in ("", "/stages/$default"):
        arn = f"arn:aws:apigateway:us-east-2::/apis/{chat.history_id}{part}"
        chat.api.tag_resource(ResourceArn=arn, Tags={"stray": "tag"})


def deleted(chat: Operator) -> None:
    chat.api.delete_api(ApiId=chat.history_id)


def permission_removed(chat: Operator) -> None:
    chat.root("lambda").remove_permission(
        FunctionName=chat.resource_name("history"), Qualifier="live", StatementId="nwchat-history-messages"
    )


def _integration(chat: Operator) -> str:
    found = chat.api.get_integrations(ApiId=chat.history_id)["Items"]
    return next(str(each["IntegrationId"]) for each in found if each["Description"] == "nwchatctl:history")


def _route(chat: Operator, key: str) -> str:
    found = chat.api.get_routes(ApiId=chat.history_id)["Items"]
    return next(str(each["RouteId"]) for each in found if each["RouteKey"] == key)
