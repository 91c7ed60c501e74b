"""Conversions of tags between AWS's two formats (lists of Key and Value, mappings) and `StringMap`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nwchatctl.deploy.model.string_map import StringMap, string_map


def from_list(tags: Iterable[Any]) -> StringMap:
    """`[{"Key": k, "Value": v}]` as a StringMap, without AWS's own tags (`aws:…`), which users cannot set."""
    return from_mapping({each["Key"]: each["Value"] for each in tags})


def from_mapping(tags: Mapping[str, str]) -> StringMap:
    """`{k: v}` as a StringMap, without AWS's own tags."""
    return string_map({name: value for name, value in tags.items() if not name.startswith("aws:")})


def to_list(tags: StringMap) -> list[Any]:
    """A StringMap as `[{"Key": k, "Value": v}]`."""
    return [{"Key": name, "Value": value} for name, value in tags]


def tag_changes(before: StringMap, after: StringMap) -> tuple[StringMap, list[str]]:
    """The tags to put, and the names of the tags to remove, to get from `before` to `after`."""
    put = tuple(each for each in after if each not in before)
    return put, [name for name, _ in before if name not in dict(after)]
