"""A mapping of strings as sorted, hashable data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

StringMap: TypeAlias = tuple[tuple[str, str], ...]
"""A mapping of strings as sorted, hashable data: tags, environments, templates."""


def string_map(mapping: Mapping[str, str]) -> StringMap:
    """`mapping` as a StringMap."""
    return tuple(sorted(mapping.items()))


def has_tags(tags: StringMap, own: Mapping[str, str]) -> bool:
    """Whether `tags` include `own`, the tags that mark a resource as the chat's."""
    return own.items() <= dict(tags).items()
