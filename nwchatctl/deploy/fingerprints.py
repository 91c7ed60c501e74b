"""By what a version, a deployment and a release are known again: digests of what they are made of."""

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
    """A release's id, 12 hex digits: of the versions behind the aliases and of the deployment in front."""
    aliases = (Alias(alias_name(name), name, runs, ()) for name, runs in functions)
    return fingerprint([*aliases, Deployment(deployment)])[:12]


def version_fingerprint(function: Function, api_id: str) -> str:
    """What makes a function's published version differ from another: all but its tags.

    The chat's own API counts as `API_ID`, so that a release is known by the same id before that API is made.
    """
    return fingerprint([version_content(function, api_id)])


def version_content(function: Function, api_id: str) -> Function:
    """What of a function makes up a version: all but its tags, with the chat's own API as `API_ID`."""
    environment = tuple(
        (name, text.replace(api_id, API_ID) if api_id else text) for name, text in function.environment
    )
    return dataclasses.replace(function, environment=environment, tags=())


def attribute_texts(resources: Iterable[Resource]) -> StringMap:
    """Every attribute by the name a person knows it by: `function x.memory_mb` → `256`; no secrets."""
    return string_map(
        {
            f"{each.kind} {each.name}.{name}": text
            for each in resources
            for name, text in flatten(each).items()
            if not is_hidden(text)
        }
    )


def fingerprint(resources: Iterable[Resource]) -> str:
    """A digest of the resources' attributes, the same on any machine and in any order of them."""
    plain = sorted(json.dumps([each.kind, _compared(each)], sort_keys=True) for each in resources)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()[:24]


def _compared(resource: Resource) -> dict[str, object]:
    """What makes up the fingerprint. An attribute at its default is left out, so that a later version of this
    tool can bring one more without taking all earlier releases for something else."""
    values = ((each, getattr(resource, each.name)) for each in dataclasses.fields(resource) if each.compare)
    return {each.name: value for each, value in values if value != each.default}
