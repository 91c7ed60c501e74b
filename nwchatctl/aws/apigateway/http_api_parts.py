"""The parts of an HTTP API as AWS returns them, and their conversion to one resource of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nwchatctl.aws.core.tags import from_mapping
from nwchatctl.deploy.desired.history_api import STAGE
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.string_map import StringMap, string_map

INTEGRATION_DESCRIPTION = "nwchatctl:history"
"""The description of the chat's integration, which has no name on AWS."""

_FOREIGN_SETTINGS = ("CredentialsArn", "RequestParameters", "ResponseParameters", "TlsConfig")
"""Settings of an integration that the tool never sets. An integration with one of them is replaced: how to
remove each is undocumented."""


@dataclass(frozen=True, slots=True)
class HttpApiParts:
    """The parts of an API, as AWS returns them."""

    integrations: list[Any]
    routes: list[Any]
    stages: list[Any]

    @property
    def integration(self) -> Any:
        """The chat's integration, {} if there is none. Of two (after a lost response) the first."""
        ours = (each for each in self.integrations if each.get("Description") == INTEGRATION_DESCRIPTION)
        return next((each for each in ours if not any(map(each.get, _FOREIGN_SETTINGS))), {})

    def stage(self, name: str) -> Any:
        return next((each for each in self.stages if each["StageName"] == name), {})


def resource(name: str, found: Any, parts: HttpApiParts) -> HistoryApi:
    """The API as a resource of the model."""
    cors, integration = found.get("CorsConfiguration", {}), parts.integration
    stage = parts.stage(STAGE)
    settings = stage.get("DefaultRouteSettings", {})
    extra_integrations = [each for each in parts.integrations if each is not integration]
    return HistoryApi(
        name=name,
        display_name=found["Name"],
        default_endpoint=not found.get("DisableExecuteApiEndpoint", False),
        cors_origins=_sorted_texts(cors, "AllowOrigins"),
        cors_methods=_sorted_texts(cors, "AllowMethods"),
        cors_headers=tuple(sorted(map(str.lower, cors.get("AllowHeaders", [])))),
        cors_exposed=_sorted_texts(cors, "ExposeHeaders"),
        cors_credentials=cors.get("AllowCredentials", False),
        cors_max_age=cors.get("MaxAge", 0),
        uri=integration.get("IntegrationUri", ""),
        payload_version=integration.get("PayloadFormatVersion", ""),
        timeout_ms=integration.get("TimeoutInMillis", 0),
        routes=string_map(
            {each["RouteKey"]: _route_authorization(each, integration) for each in parts.routes}
        ),
        stage=stage.get("StageName", ""),
        auto_deploy=stage.get("AutoDeploy", False),
        throttle_rate=float(settings.get("ThrottlingRateLimit", 0)),
        throttle_burst=int(settings.get("ThrottlingBurstLimit", 0)),
        route_settings=tuple(sorted(stage.get("RouteSettings", {}))),
        variables=variables(stage),
        access_log=access_log(stage)[0],
        detailed_metrics=settings.get("DetailedMetricsEnabled", False),
        extra=(
            *sorted(f"integration {each['IntegrationId']}" for each in extra_integrations),
            *sorted(f"stage {each['StageName']}" for each in parts.stages if each is not stage),
        ),
        tags=from_mapping(found.get("Tags", {})),
        stage_tags=from_mapping(stage.get("Tags", {})),
        access_format=access_log(stage)[1],
        description=found.get("Description", ""),
    )


def _route_authorization(route: Any, integration: Any) -> str:
    """A route's authorization, and its target if that is not the chat's integration."""
    authorization = str(route.get("AuthorizationType", "NONE"))
    target = route.get("Target", "").removeprefix("integrations/")
    return authorization if target == integration.get("IntegrationId") else f"{authorization} to {target}"


def cors(api: HistoryApi, have: HistoryApi | None = None) -> dict[str, Any]:
    cors: dict[str, Any] = {
        "AllowOrigins": list(api.cors_origins),
        "AllowMethods": list(api.cors_methods),
        "AllowHeaders": list(api.cors_headers),
        "AllowCredentials": api.cors_credentials,
        "MaxAge": api.cors_max_age,
    }
    # Explicit: it is undocumented whether a setting that is left out stays.
    return {**cors, "ExposeHeaders": list(api.cors_exposed)} if have and have.cors_exposed else cors


def api_settings(api: HistoryApi) -> tuple[object, ...]:
    """The settings of UpdateApi."""
    return (
        *(api.display_name, api.description, api.default_endpoint),
        *(api.cors_origins, api.cors_methods, api.cors_headers),
        *(api.cors_exposed, api.cors_credentials, api.cors_max_age),
    )


def stage_settings(stage: Any) -> tuple[object, ...]:
    """The settings of UpdateStage."""
    settings = stage.get("DefaultRouteSettings", {})
    limits = (settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit"))
    metrics = settings.get("DetailedMetricsEnabled", False)
    return (stage.get("AutoDeploy"), *limits, metrics, variables(stage), access_log(stage))


def access_log(stage: Any) -> tuple[str, str]:
    """The ARN of the log group that access logs go to, and their format; both "" without access logs."""
    access = stage.get("AccessLogSettings", {})
    # A log group's ARN is written with and without this suffix.
    return access.get("DestinationArn", "").removesuffix(":*"), access.get("Format", "")


def variables(stage: Any) -> StringMap:
    return string_map({name: text for name, text in stage.get("StageVariables", {}).items() if text})


def _sorted_texts(found: Any, name: str) -> tuple[str, ...]:
    return tuple(sorted(found.get(name, [])))
