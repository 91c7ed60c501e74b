"""The history API, one resource with all that is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class HistoryApi:
    """The HTTP API that hands out history, with all that is in it: one integration, its routes, one stage.

    Its routes are constants, so its stage deploys itself and is in no release. `cors_*` are all empty where
    API Gateway adds no CORS headers. `routes` maps a route key to its authorization, and to the integration
    where that is another. `extra` names integrations and stages that are no part of it. What belongs to the
    stage is empty where there is none (`stage` is ""), as `uri` is where there is no integration.
    """

    kind: ClassVar[str] = "history-api"
    name: str
    display_name: str
    default_endpoint: bool
    cors_origins: tuple[str, ...]
    cors_methods: tuple[str, ...]
    cors_headers: tuple[str, ...]
    cors_exposed: tuple[str, ...]
    cors_credentials: bool
    cors_max_age: int
    uri: str
    payload_version: str
    timeout_ms: int
    routes: StringMap
    stage: str
    auto_deploy: bool
    throttle_rate: float
    throttle_burst: int
    route_settings: tuple[str, ...]
    variables: StringMap
    access_log: str
    detailed_metrics: bool
    extra: tuple[str, ...]
    tags: StringMap
    stage_tags: StringMap
