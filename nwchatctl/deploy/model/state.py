"""All kinds of resources, and the state of a chat: resources by key."""

from __future__ import annotations

from typing import TypeAlias

from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.functions import Alias, AsyncInvoke, Function, Permission, Role, Version
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.storage import LogGroup, Queue, Recovery, Table, TokenKeys
from nwchatctl.deploy.model.websocket import Api, Authorizer, Deployment, Integration, Route, Stage

Key: TypeAlias = tuple[str, str]
"""(kind, name)."""

Resource: TypeAlias = (
    Table
    | Recovery
    | LogGroup
    | Queue
    | Role
    | Function
    | Version
    | Alias
    | AsyncInvoke
    | Permission
    | Api
    | Integration
    | Authorizer
    | TokenKeys
    | Route
    | Deployment
    | Stage
    | HistoryApi
    | Release
    | Certificate
    | Domain
    | ApiMapping
    | DnsRecord
)

State: TypeAlias = dict[Key, Resource]


def key(resource: Resource) -> Key:
    """The resource's (kind, name)."""
    return (resource.kind, resource.name)


def state(*resources: Resource) -> State:
    """The resources by key."""
    return {key(each): each for each in resources}
