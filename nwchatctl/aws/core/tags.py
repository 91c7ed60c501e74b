"""Tags: AWS writes them as lists of Key and Value here, as mappings there; we as `Pairs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nwchatctl.deploy.model.string_map import StringMap, string_map


def from_list(tags: Iterable[Any]) -> StringMap:
    """`[{"Key": k, "Value": v}]` as pairs, AWS's own (`aws:…`) left out: nobody can set those."""
    return from_mapping({each["Key"]: each["Value"] for each in tags})


def from_mapping(tags: Mapping[str, str]) -> StringMap:
    """`{k: v}` as pairs, AWS's own left out."""
    return string_map({name: value for name, value in tags.items() if not name.startswith("aws:")})


def to_list(tags: StringMap) -> list[Any]:
    """Pairs as `[{"Key": k, "Value": v}]`."""
    return [{"Key": name, "Value": value} for name, value in tags]


def tag_changes(before: StringMap, after: StringMap) -> tuple[StringMap, list[str]]:
    """What has to be put, and the names that have to go, to come from `before` to `after`."""
    put = tuple(each for each in after if each not in before)
    return put, [name for name, _ in before if name not in dict(after)]
