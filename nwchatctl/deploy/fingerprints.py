"""Fingerprints that identify versions, deployments and releases: digests of their contents."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable

from nwchatctl.deploy.changes import flatten, is_hidden
from nwchatctl.deploy.model.functions import Alias, Function, alias_name
from nwchatctl.deploy.model.placeholders import API_ID
from nwchatctl.deploy.model.state import Resource
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.model.websocket import Deployment


def release_id(functions: StringMap, deployment: str) -> str:
    """A release's id, 12 hex digits: a digest of the aliases' versions and of the deployment."""
    aliases = (Alias(alias_name(name), name, runs, ()) for name, runs in functions)
    return fingerprint([*aliases, Deployment(deployment)])[:12]


def version_fingerprint(function: Function, api_id: str) -> str:
    """The fingerprint of a function's published version: of `version_content`.

    The chat's own API id counts as `API_ID`, so that a release has the same id before that API is created.
    """
    return fingerprint([version_content(function, api_id)])


def version_content(function: Function, api_id: str) -> Function:
    """The attributes of a function that make up a version: all but its tags and its reserved concurrency,
    with the chat's own API id as `API_ID`."""
    environment = tuple(
        (name, text.replace(api_id, API_ID) if api_id else text) for name, text in function.environment
    )
    return dataclasses.replace(function, environment=environment, tags=(), reserved_concurrency=None)


def attribute_texts(resources: Iterable[Resource]) -> StringMap:
    """Every attribute as text by a readable name, `function x.memory_mb` → `256`; without secrets."""
    return string_map(
        {
            f"{each.kind} {each.name}.{name}": text
            for each in resources
            for name, text in flatten(each).items()
            if not is_hidden(text)
        }
    )


def fingerprint(resources: Iterable[Resource]) -> str:
    """A digest of the resources' attributes, the same on any machine and in any order."""
    plain = sorted(json.dumps([each.kind, _compared(each)], sort_keys=True) for each in resources)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:24]


def _compared(resource: Resource) -> dict[str, object]:
    """The attributes of the fingerprint. Attributes at their default are left out, so that a later version of
    the tool can add one without changing the fingerprints of earlier releases."""
    values = ((each, getattr(resource, each.name)) for each in dataclasses.fields(resource) if each.compare)
    return {each.name: value for each, value in values if value != each.default}
