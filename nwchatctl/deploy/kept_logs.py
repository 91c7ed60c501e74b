"""Logs that were set by hand on a stage: they are kept unless the settings say otherwise. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.model.websocket import WITH_DATA, RouteLimits, Stage

if TYPE_CHECKING:
    from nwchatctl.deploy.model.state import Resource, State


@dataclass(frozen=True, slots=True)
class KeptLogs:
    """The wanted state with the logs that are kept, and a line of text about each of these."""

    wanted: State
    texts: tuple[str, ...]


def keep_logs(wanted: State, live: State, own_group: str, *, access: bool, execution: bool) -> KeptLogs:
    """`wanted`, with the access and execution logs of `live` stages that were set by hand, each if its flag
    says so.

    `own_group` is the name of the chat's own log group: access logs to it came from an earlier setting.
    """
    kept, texts = dict(wanted), []
    for key, want in wanted.items():
        have = live.get(key)
        if isinstance(want, Stage | HistoryApi) and isinstance(have, Stage | HistoryApi):
            logged = _with_access_log(want, have, own_group) if access else want
            texts += [_access_text(logged)] if logged != want else []
            if execution and isinstance(logged, Stage) and isinstance(have, Stage):
                logged = _with_execution_log(logged, have)
                texts += _execution_texts(logged)
            kept[key] = logged
    return KeptLogs(kept, tuple(texts))


def _with_access_log(want: Stage | HistoryApi, have: Stage | HistoryApi, own: str) -> Stage | HistoryApi:
    if not have.access_log or _group(have.access_log) == own:
        return want
    return dataclasses.replace(want, access_log=have.access_log, access_format=have.access_format)


def _group(arn: str) -> str:
    return arn.rpartition(":log-group:")[2]


def _with_execution_log(want: Stage, have: Stage) -> Stage:
    """`want` with the levels of `have`, also those of single routes."""
    limits = {key: RouteLimits.parse(text) for key, text in want.route_settings}
    stage_limits = RouteLimits(want.throttle_rate, want.throttle_burst)
    for key, level in _route_levels(have.route_settings):
        limits[key] = dataclasses.replace(limits.get(key, stage_limits), execution_log=level)
    texts = string_map({key: each.text for key, each in limits.items()})
    return dataclasses.replace(want, execution_log=have.execution_log, route_settings=texts)


def _route_levels(settings: StringMap) -> list[tuple[str, str]]:
    levels = ((key, RouteLimits.parse(text).execution_log) for key, text in settings)
    return [(key, level) for key, level in levels if level]


def _access_text(resource: Resource) -> str:
    return (
        f"{resource.kind} {resource.name} writes access logs that were set by hand; they are kept. "
        'logs.access = "off" stops them, "on" replaces them'
    )


def _execution_texts(stage: Stage) -> list[str]:
    routes = _route_levels(stage.route_settings)
    levels = {stage.execution_log, *(level for _, level in routes)} - {""}
    if not levels:
        return []
    data = ", with the texts of messages" if any(each.endswith(WITH_DATA) for each in levels) else ""
    return [
        f"stage {stage.name} writes execution logs that were set by hand{data}; they are kept. "
        'logs.execution = "off" stops them'
    ]
