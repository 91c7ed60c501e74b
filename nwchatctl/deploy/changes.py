"""A change to one resource, and its differences attribute by attribute."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from nwchatctl.deploy.model.placeholders import (
    API_ID,
    CERTIFICATE_ARN,
    DOMAIN_TARGET,
    DOMAIN_ZONE,
    HISTORY_API_ID,
    ROLE_ID,
)
from nwchatctl.deploy.model.state import Key, Resource, key
from nwchatctl.deploy.value_diff import differing
from nwchatctl.redaction import has_credentials, looks_secret

OWN_VARIABLES = "NWCHAT_"
"""The prefix of the variables that `deploy` sets."""

_HIDDEN = "(hidden"

_DIGEST_KEY = os.urandom(16)


@dataclass(frozen=True, slots=True)
class Create:
    """Create `after`."""

    action: ClassVar[str] = "create"
    after: Resource


@dataclass(frozen=True, slots=True)
class Update:
    """Update `before` to `after`."""

    action: ClassVar[str] = "update"
    before: Resource
    after: Resource


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete `before`."""

    action: ClassVar[str] = "delete"
    before: Resource


Change: TypeAlias = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute's difference as text; `before` or `after` is "" where there is none."""

    name: str
    before: str
    after: str


def changed_key(change: Change) -> Key:
    """The (kind, name) that a change is about."""
    return key(change.before if isinstance(change, Delete) else change.after)


def fields(change: Change) -> tuple[Field, ...]:
    """The differences, attribute by attribute; of mappings (tags, environment) and policies entry by entry.

    A Create lists all attributes, a Delete none.
    """
    match change:
        case Delete():
            return ()
        case Create(after):
            return tuple(Field(name, "", text) for name, text in flatten(after).items() if text)
        case Update(before, after):
            old, new = flatten(before), flatten(after)
            names = list(dict.fromkeys([*old, *new]))
            return tuple(
                Field(name, _shown(name, old, new), _shown(name, new, old))
                for name in names
                if _shown(name, old, new) != _shown(name, new, old)
            )


def shortened_fields(change: Change, width: int) -> tuple[Field, ...]:
    """As `fields`; of a value that is longer than `width` characters only the part that differs."""
    return tuple(Field(each.name, *differing(each.before, each.after, width)) for each in fields(change))


def _shown(name: str, texts: dict[str, str], others: dict[str, str]) -> str:
    """The text of an attribute; an entry of a mapping that is empty here and missing there is `""`."""
    is_empty = "." in name and name in texts and name not in others
    return texts.get(name) or ('""' if is_empty else "")


def flatten(resource: Resource) -> dict[str, str]:
    """Every attribute of a resource as text, in order, the name left out.

    >>> from nwchatctl.deploy.model.storage import LogGroup
    >>> flatten(LogGroup("/aws/lambda/x", 30, (("team", "chat"),)))
    {'retention_days': '30', 'tags.team': 'chat'}
    """
    return {
        name: text
        for field in dataclasses.fields(resource)
        if field.name != "name" and field.compare
        for name, text in _entries(field.name, getattr(resource, field.name))
    }


def _entries(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case bool():
            yield name, "on" if value else "off"
        case tuple() if value and isinstance(value[0], tuple):
            for entry, text in value:
                yield f"{name}.{entry}", _hide(text) if _is_secret(name, entry, text) else _text(text)
        case tuple():
            yield name, ", ".join(value)
        case str() if value.startswith('{"Statement"') and name in ("policy", "trust"):
            yield from _statements(name, value)
        case float():
            yield name, f"{value:g}"
        case _:
            yield name, _text(str(value))


def _is_secret(attribute: str, entry: str, value: str) -> bool:
    """Whether an entry of a mapping is hidden.

    Of functions' environments, only our own variables are shown: one that was added by hand, or that a
    function had before it was adopted, may hold a password under any name.
    """
    foreign = attribute == "environment" and not entry.startswith(OWN_VARIABLES)
    return foreign or looks_secret(entry) or has_credentials(value)


def _statements(name: str, policy: str) -> Iterator[tuple[str, str]]:
    for number, statement in enumerate(json.loads(policy)["Statement"], start=1):
        label = statement.get("Sid", str(number)) if isinstance(statement, dict) else str(number)
        yield f"{name}.{label}", _text(json.dumps(statement, sort_keys=True, separators=(",", ":")))


def is_hidden(text: str) -> bool:
    """Whether `text` replaces a value that must not be shown."""
    return text.startswith(_HIDDEN)


def _hide(value: str) -> str:
    """A text that differs for different secrets in this process, and reveals nothing about them."""
    return f"{_HIDDEN} {hashlib.blake2s(value.encode(), key=_DIGEST_KEY, digest_size=3).hexdigest()})"


_PLACEHOLDER_TEXTS = {
    API_ID: "(known after the API is made)",
    HISTORY_API_ID: "(known after the history API is made)",
    CERTIFICATE_ARN: "(known after the certificate is requested)",
    DOMAIN_TARGET: "(known after the domain is made)",
    DOMAIN_ZONE: "(known after the domain is made)",
    ROLE_ID: "(the role's id)",
}


def _text(value: str) -> str:
    for token, words in _PLACEHOLDER_TEXTS.items():
        value = value.replace(token, words)
    return value
