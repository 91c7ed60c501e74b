"""A function as it was read: $LATEST, its versions, and the targets of its aliases."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from nwchatctl.deploy.fingerprints import version_fingerprint
from nwchatctl.deploy.model.functions import ALIAS, Alias, Function, Version, alias_name, version_name
from nwchatctl.deploy.model.placeholders import ROLE_ID
from nwchatctl.deploy.model.state import Resource
from nwchatctl.deploy.model.string_map import StringMap, string_map


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """What an alias points at: a version's `number`, possibly "$LATEST"; `weights` as in `Alias`."""

    name: str
    number: str
    weights: StringMap


@dataclass(frozen=True, slots=True)
class PublishedFunction:
    """A function as it was read: `latest` with its tags, published versions (without tags) by number, all
    aliases."""

    latest: Function
    versions: dict[int, Function]
    aliases: tuple[AliasTarget, ...]

    def with_role_placeholder(self, role_ids: Collection[str]) -> PublishedFunction:
        """The same with each of `role_ids` as `ROLE_ID` in all descriptions."""
        return self._each(lambda function: with_role_placeholder(function, role_ids))

    def without_roles(self, roles: Collection[str]) -> PublishedFunction:
        """The same with another name for each of `roles`, which belong to the chat in another Region: a
        version that runs on one has not the fingerprint of any release, and is never returned to."""
        return self._each(
            lambda function: (
                dataclasses.replace(function, role=f"{function.role} (another Region's)")
                if function.role in roles
                else function
            )
        )

    def _each(self, changed: Callable[[Function], Function]) -> PublishedFunction:
        versions = {number: changed(each) for number, each in self.versions.items()}
        return PublishedFunction(changed(self.latest), versions, self.aliases)

    def newest_version(self, runs: str, api_id: str) -> int | None:
        """The newest version with the fingerprint `runs`; None if there is none."""
        same = (number for number, each in self.versions.items() if version_fingerprint(each, api_id) == runs)
        return max(same, default=None)

    def resources(self, api_id: str) -> list[Resource]:
        """The function, its versions and its live alias."""
        name = self.latest.name
        runs = {str(number): version_fingerprint(each, api_id) for number, each in self.versions.items()}
        versions = (
            Version(version_name(name, int(number)), name, int(number), fingerprint, self._aliases_of(number))
            for number, fingerprint in runs.items()
        )
        live = (
            Alias(alias_name(name), name, runs.get(each.number, each.number), each.weights)
            for each in self.aliases
            if each.name == ALIAS
        )
        return [self.latest, *versions, *live]

    def _aliases_of(self, number: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                each.name for each in self.aliases if number == each.number or number in dict(each.weights)
            )
        )


def with_role_placeholder(function: Function, role_ids: Collection[str]) -> Function:
    """A function as AWS has it with each of `role_ids` as `ROLE_ID` in its description."""
    text = function.description
    for each in filter(None, role_ids):
        text = text.replace(each, ROLE_ID)
    return dataclasses.replace(function, description=text)


def alias_target(alias: Any) -> AliasTarget:
    """An alias as Lambda lists it."""
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    weights = string_map({version: f"{share:g}" for version, share in shares.items()})
    return AliasTarget(alias["Name"], alias["FunctionVersion"], weights)
