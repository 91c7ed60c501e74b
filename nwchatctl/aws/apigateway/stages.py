"""The stages of a WebSocket API, as API Gateway v2 spells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nwchatctl.aws.apigateway.api_client import ApiClient
from nwchatctl.aws.core.retry import create_once, with_retries
from nwchatctl.aws.core.tags import from_mapping
from nwchatctl.deploy.model.string_map import string_map
from nwchatctl.deploy.model.websocket import WITH_DATA, RouteLimits, Stage


class Stages:
    """Reads and changes the stages of an API."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._client = api.client
        self._ids = api.ids

    def read(self) -> list[Stage]:
        """All stages, as in `with_names`."""
        return self.with_names(self._api.items(self._client.get_stages))

    def with_names(self, items: list[Any]) -> list[Stage]:
        """AWS's `items` as model data, with the names of deployments that were read or created before."""
        names = {aws_id: name for name, aws_id in self._ids.deployments.items()}
        found = []
        for each in items:
            settings = each.get("DefaultRouteSettings", {})
            access = each.get("AccessLogSettings", {})
            deployment = each.get("DeploymentId", "")
            found.append(
                Stage(
                    name=each["StageName"],
                    deployment=names.get(deployment, deployment),
                    auto_deploy=each.get("AutoDeploy", False),
                    throttle_rate=float(settings.get("ThrottlingRateLimit", 0)),
                    throttle_burst=int(settings.get("ThrottlingBurstLimit", 0)),
                    route_settings=string_map(
                        {
                            key: _route_limits(settings).text
                            for key, settings in each.get("RouteSettings", {}).items()
                        }
                    ),
                    variables=string_map(
                        {key: text for key, text in each.get("StageVariables", {}).items() if text}
                    ),
                    tags=from_mapping(each.get("Tags", {})),
                    # A log group's ARN is written with and without this suffix.
                    access_log=access.get("DestinationArn", "").removesuffix(":*"),
                    access_format=access.get("Format", ""),
                    execution_log=_execution_log(settings),
                    detailed_metrics=settings.get("DetailedMetricsEnabled", False),
                )
            )
        return found

    def changed_at(self, name: str) -> int:
        """When the stage, including its deployment, was last changed, in epoch ms."""
        found = self._client.get_stage(ApiId=self._ids.api, StageName=name)
        return round(found["LastUpdatedDate"].timestamp() * 1000)

    def created_at(self, name: str) -> int | None:
        """When the stage was created, in epoch ms; None if there is no such stage."""
        try:
            found = self._client.get_stage(ApiId=self._ids.api, StageName=name)
        except self._client.exceptions.NotFoundException:
            return None
        return round(found["CreatedDate"].timestamp() * 1000)

    def create(self, stage: Stage) -> None:
        """Creates the stage with its tags; updates an existing stage with its name."""
        wanted = self._wanted(stage)

        def make() -> Stage:
            self._api.no_retry_client.create_stage(**wanted, Tags=dict(stage.tags))
            return stage

        found, created = create_once(
            make, lambda: next((e for e in self.read() if e.name == stage.name), None)
        )
        if not created:
            self.update(found, stage)

    def stop_auto_deploy(self, name: str) -> None:
        """Switches auto-deploy off; the stage keeps the deployment that it serves.

        UpdateStage refuses a DeploymentId while the stored stage has auto-deploy on, also in the call that
        switches it off (terraform-provider-aws 13961), so that this is a call of its own.
        """
        with_retries(self._client.update_stage, ApiId=self._ids.api, StageName=name, AutoDeploy=False)

    def update(self, before: Stage, after: Stage) -> None:
        """Updates what differs; deployment and limits in one call."""
        if before.auto_deploy:
            self.stop_auto_deploy(after.name)
        self._delete_settings(before, after)
        wanted = self._wanted(after)
        if (before.access_log, before.access_format) == (after.access_log, after.access_format):
            # Those that were set by hand may need a role that the account has no more.
            wanted.pop("AccessLogSettings", None)
        if before.execution_log or before.detailed_metrics:
            # Explicit: it is undocumented whether settings that are left out stay.
            off = {**_logging(after.execution_log), "DetailedMetricsEnabled": False}
            wanted["DefaultRouteSettings"] |= off
        # UpdateStage keeps what is left out; "" removes a variable (as terraform-provider-aws).
        wanted["StageVariables"] = {name: "" for name, _ in before.variables} | wanted["StageVariables"]
        with_retries(self._client.update_stage, **wanted)
        self._api.retag(f"{self._ids.api}/stages/{after.name}", before.tags, after.tags)

    def _delete_settings(self, before: Stage, after: Stage) -> None:
        """Removes what UpdateStage cannot remove."""
        wanted_routes = {key: RouteLimits.parse(text) for key, text in after.route_settings}
        for route_key, text in before.route_settings:
            have, want = RouteLimits.parse(text), wanted_routes.get(route_key)
            # Settings other than the limits are only removed with all of the route's.
            if want and (not have.execution_log or want.execution_log) and not have.metrics:
                continue
            self._api.delete_if_exists(
                self._client.delete_route_settings,
                ApiId=self._ids.api,
                StageName=after.name,
                RouteKey=route_key,
            )
        if before.access_log and not after.access_log:
            # UpdateStage cannot remove it (botocore's model: "To disable access logging…").
            self._api.delete_if_exists(
                self._client.delete_access_log_settings, ApiId=self._ids.api, StageName=after.name
            )

    def delete(self, stage: Stage) -> None:
        """Deletes the stage and closes its connections; a missing stage is no error."""
        client = self._client
        self._api.delete_if_exists(
            client.delete_stage, client.get_stage, ApiId=self._ids.api, StageName=stage.name
        )

    def _wanted(self, stage: Stage) -> dict[str, Any]:
        access_log = {"DestinationArn": stage.access_log, "Format": stage.access_format}
        return {
            "ApiId": self._ids.api,
            "StageName": stage.name,
            "DeploymentId": self._ids.deployments[stage.deployment],
            "AutoDeploy": stage.auto_deploy,
            # Always both limits: a stage updated without them was seen to throttle at 0.
            "DefaultRouteSettings": {
                "ThrottlingRateLimit": stage.throttle_rate,
                "ThrottlingBurstLimit": stage.throttle_burst,
                **(_logging(stage.execution_log) if stage.execution_log else {}),
            },
            "StageVariables": dict(stage.variables),
            **({"AccessLogSettings": access_log} if stage.access_log else {}),
            **({"RouteSettings": _route_settings(stage)} if stage.route_settings else {}),
        }


def _route_settings(stage: Stage) -> dict[str, Any]:
    limits = {key: RouteLimits.parse(text) for key, text in stage.route_settings}
    return {
        key: {
            "ThrottlingRateLimit": each.rate,
            "ThrottlingBurstLimit": each.burst,
            **(_logging(each.execution_log) if each.execution_log else {}),
        }
        for key, each in limits.items()
    }


def _route_limits(settings: Mapping[str, Any]) -> RouteLimits:
    return RouteLimits(
        float(settings.get("ThrottlingRateLimit", 0)),
        int(settings.get("ThrottlingBurstLimit", 0)),
        _execution_log(settings),
        settings.get("DetailedMetricsEnabled", False),
    )


def _execution_log(settings: Mapping[str, Any]) -> str:
    level = settings.get("LoggingLevel", "OFF")
    if settings.get("DataTraceEnabled"):
        return f"{level}{WITH_DATA}"
    return "" if level == "OFF" else level


def _logging(execution_log: str) -> dict[str, Any]:
    """The settings of an execution log's level, "" for off."""
    level = execution_log.removesuffix(WITH_DATA)
    return {"LoggingLevel": level or "OFF", "DataTraceEnabled": execution_log.endswith(WITH_DATA)}
