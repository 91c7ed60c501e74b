"""A mapping of strings as sorted, hashable data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""A mapping of strings as sorted, hashable data: tags, environments, templates."""


def pairs(mapping: Mapping[str, str]) -> Pairs:
    """`mapping` as `Pairs`."""
    return tuple(sorted(mapping.items()))


def tagged(tags: Pairs, own: Mapping[str, str]) -> bool:
    """Whether `tags` say that something is the chat's, whose tags are `own`."""
    return own.items() <= dict(tags).items()
