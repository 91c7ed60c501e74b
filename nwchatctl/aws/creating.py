"""Which adapter carries out which change. A resource's kind decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from nwchatctl.aws import naming
from nwchatctl.deploy.model.functions import Alias, AsyncInvoke, Function, Permission, Role, Version
from nwchatctl.deploy.model.history import HistoryApi
from nwchatctl.deploy.model.names import ApiMapping, Certificate, Domain, Record
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.state import Resource
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage

if TYPE_CHECKING:
    from nwchatctl.aws.cloud import Cloud


def create(cloud: Cloud, after: Resource) -> None:
    """Makes `after`."""
    match after:
        case Table():
            cloud.tables.create(after)
        case LogGroup():
            cloud.log_groups.create(after)
        case Queue():
            cloud.queues.create(after)
        case Role():
            cloud.roles.create(after)
        case Function() | Version() | Alias() | AsyncInvoke() | Permission():
            _create_in_lambda(cloud, after)
        case HistoryApi():
            cloud.history.create(after)
        case TokenKeys():
            cloud.token_keys.create(after)
        case Release():
            cloud.remember(after)
        case Certificate() | Domain() | ApiMapping() | Record():
            naming.create(cloud, after)
        case _:
            _create_in_api(cloud, after)


def _create_in_lambda(cloud: Cloud, after: Function | Version | Alias | AsyncInvoke | Permission) -> None:
    match after:
        case Function():
            cloud.functions.create(after)
        case Version():
            raise AssertionError("a version is published by moving its alias")
        case Alias():
            cloud.move_alias(after)
        case AsyncInvoke():
            cloud.async_invokes.put(after)
        case Permission():
            cloud.functions.allow(after)
        case _:
            assert_never(after)


def _create_in_api(cloud: Cloud, after: Api | Integration | Authorizer | Route | Deployment | Stage) -> None:
    match after:
        case Api():
            cloud.gateway.create_api(after)
        case Integration():
            cloud.gateway.integrations.put(after)
        case Authorizer():
            cloud.gateway.authorizers.put(after)
        case Route():
            cloud.gateway.routes.put(after)
        case Deployment():
            cloud.gateway.deployments.create(after)
        case Stage():
            cloud.gateway.stages.create(after)
        case _:
            assert_never(after)


def update(cloud: Cloud, before: Resource, after: Resource) -> None:
    """Turns `before` into `after`."""
    match before, after:
        case Table(), Table():
            cloud.tables.update(before, after)
        case LogGroup(), LogGroup():
            cloud.log_groups.update(before, after)
        case Queue(), Queue():
            cloud.queues.update(before, after)
        case Role(), Role():
            cloud.roles.update(before, after)
        case Function(), Function():
            cloud.functions.update(before, after)
        case Api(), Api():
            cloud.gateway.update_api(before, after)
        case Stage(), Stage():
            cloud.gateway.stages.update(before, after)
        case Authorizer(), Authorizer():
            cloud.gateway.authorizers.put(after, before)
        case TokenKeys(), TokenKeys():
            cloud.token_keys.update(before, after)
        case HistoryApi(), HistoryApi():
            cloud.history.update(after)
        case (Certificate(), Certificate()) | (Domain(), Domain()) | (Record(), Record()):
            naming.update(cloud, before, after)
        case _:
            # The others have one way of being made and changed.
            create(cloud, after)


def delete(cloud: Cloud, before: Resource) -> None:
    """Removes `before`; gone already is fine."""
    match before:
        case Table():
            cloud.tables.delete(before)
        case LogGroup():
            cloud.log_groups.delete(before)
        case Queue():
            cloud.queues.delete(before)
        case Role():
            cloud.roles.delete(before)
        case Function() | Version() | Alias() | AsyncInvoke() | Permission():
            _delete_in_lambda(cloud, before)
        case TokenKeys():
            cloud.token_keys.delete(before)
        case Release():
            cloud.deploys.delete_release(before)
        case HistoryApi():
            cloud.history.delete(before)
        case Certificate() | Domain() | ApiMapping() | Record():
            naming.delete(cloud, before)
        case _:
            _delete_in_api(cloud, before)


def _delete_in_lambda(cloud: Cloud, before: Function | Version | Alias | AsyncInvoke | Permission) -> None:
    match before:
        case Function():
            cloud.functions.delete(before)
        case Version():
            cloud.functions.delete_version(before)
        case Permission():
            cloud.functions.forbid(before)
        case Alias() | AsyncInvoke():
            # They go with their function.
            return
        case _:
            assert_never(before)


def _delete_in_api(cloud: Cloud, before: Api | Integration | Authorizer | Route | Deployment | Stage) -> None:
    match before:
        case Api():
            cloud.gateway.delete_api(before)
        case Integration():
            cloud.gateway.integrations.delete(before)
        case Authorizer():
            cloud.gateway.authorizers.delete(before)
        case Route():
            cloud.gateway.routes.delete(before)
        case Deployment():
            cloud.gateway.deployments.delete(before)
        case Stage():
            cloud.gateway.stages.delete(before)
        case _:
            assert_never(before)
