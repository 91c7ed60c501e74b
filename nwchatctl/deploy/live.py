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
    """What is there. `foreign` bears a name that we need, but not our tags."""

    state: State
    foreign: tuple[Key, ...]
    api_id: str
    rows: DeployRows
    history_id: str
    facts: DomainFacts

    def only_own(self) -> Live:
        """The same without what is foreign."""
        own = {key: each for key, each in self.state.items() if key not in self.foreign}
        return dataclasses.replace(self, state=own, foreign=())


@dataclass(frozen=True, slots=True)
class DeployRows:
    """What the table holds; `exists` is whether there is a table. Records come newest first. `requested` are
    the names that we requested a certificate for, and have not deleted it."""

    exists: bool
    lock: LockState
    records: tuple[ReleaseRecord, ...]
    requested: frozenset[str] = frozenset()
