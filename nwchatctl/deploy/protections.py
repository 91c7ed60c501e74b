"""What a deploy leaves as it is on live resources, although no setting asks for it.

A protection that was added by hand stays: deletion protection of a table, a key of one's own for a queue's
encryption, and tags under other keys than the tool's and the settings' (backup plans and cost reports select
resources by tags). Point-in-time recovery is a resource, which a plan never deletes.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from nwchatctl.deploy.model.domains import Certificate, Domain
from nwchatctl.deploy.model.functions import Function, Role
from nwchatctl.deploy.model.history_api import HistoryApi
from nwchatctl.deploy.model.state import Resource, State
from nwchatctl.deploy.model.storage import LogGroup, Queue, Table, TokenKeys
from nwchatctl.deploy.model.string_map import StringMap, string_map
from nwchatctl.deploy.model.websocket import Api, Stage

_TAGGED = (LogGroup, TokenKeys, Role, Function, Api, Stage, Certificate, Domain)
"""The other kinds with tags."""

R = TypeVar("R", bound=Resource)

OWN_PREFIX = "nwchat:"
"""The prefix of the tool's own tags."""

_OWN_ENCRYPTION = ("", "sqs")
"""A queue's encryption without a KMS key."""


def keep_all_protections(wanted: State, live: State, tag_keys: frozenset[str]) -> State:
    """The desired state with the protections of the live resources. `tag_keys` are the keys that the settings
    had in earlier deploys: these tags are removed if the settings do not have them any more."""
    return {
        key: keep_protections(live[key], want, tag_keys) if key in live else want
        for key, want in wanted.items()
    }


def keep_protections(have: Resource, want: R, tag_keys: frozenset[str] = frozenset()) -> R:
    """The desired resource with the protections of the live one."""
    kept = _kept(have, want, tag_keys)
    return kept if isinstance(kept, type(want)) else want


def _kept(have: Resource, want: Resource, tag_keys: frozenset[str]) -> Resource:
    match have, want:
        case Table(), Table():
            protected = want.deletion_protection or have.deletion_protection
            tags = _with_foreign(have.tags, want.tags, tag_keys)
            return dataclasses.replace(want, tags=tags, deletion_protection=protected)
        case Queue(), Queue():
            encryption = want.encryption if have.encryption in _OWN_ENCRYPTION else have.encryption
            tags = _with_foreign(have.tags, want.tags, tag_keys)
            return dataclasses.replace(want, tags=tags, encryption=encryption)
        case HistoryApi(), HistoryApi():
            tags = _with_foreign(have.tags, want.tags, tag_keys)
            stage_tags = _with_foreign(have.stage_tags, want.stage_tags, tag_keys)
            return dataclasses.replace(want, tags=tags, stage_tags=stage_tags)
    if isinstance(have, _TAGGED) and isinstance(want, _TAGGED):
        return dataclasses.replace(want, tags=_with_foreign(have.tags, want.tags, tag_keys))
    return want


def _with_foreign(have: StringMap, want: StringMap, tag_keys: frozenset[str]) -> StringMap:
    own = dict(want)
    foreign = {
        name: text
        for name, text in have
        if name not in own and name not in tag_keys and not name.startswith(OWN_PREFIX)
    }
    return string_map({**own, **foreign}) if foreign else want
