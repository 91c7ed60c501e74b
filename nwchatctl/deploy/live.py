"""The chat as it was read from AWS."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.deploy.domains.facts import DomainFacts
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.state import Key, State
    from nwchatctl.deploy.releases import ReleaseRecord


@dataclass(frozen=True, slots=True)
class Live:
    """The live state. `foreign` resources have a name that the chat needs, but not its tags."""

    state: State
    foreign: tuple[Key, ...]
    api_id: str
    rows: DeployRows
    history_id: str
    facts: DomainFacts

    def only_own(self) -> Live:
        """The live state without foreign resources."""
        own = {key: each for key, each in self.state.items() if key not in self.foreign}
        return dataclasses.replace(self, state=own, foreign=())


@dataclass(frozen=True, slots=True)
class DeployRows:
    """The content of the tool's table; `exists` says whether there is a table. Records are sorted newest
    first. `requested` are the names with a certificate that the tool requested and has not deleted;
    `tag_keys` are the keys of the tags that the settings had in any deploy."""

    exists: bool
    lock: LockState
    records: tuple[ReleaseRecord, ...]
    requested: frozenset[str] = frozenset()
    tag_keys: frozenset[str] = frozenset()
