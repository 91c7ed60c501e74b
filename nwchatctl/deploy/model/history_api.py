"""The history API, one resource with all its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class HistoryApi:
    """The HTTP API that serves the history, with all its parts: one integration, its routes, one stage.

    Its routes are constants, so its stage deploys automatically and is in no release. `cors_*` are all empty
    if API Gateway adds no CORS headers. `routes` maps a route key to its authorization, and to its
    integration if that is another. `extra` names additional integrations and stages. The stage's fields are
    empty if there is none (`stage` is ""), as is `uri` without an integration. `access_log` and
    `access_format` are as in `Stage`.
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
    access_format: str = ""
    description: str = ""
