"""The chat as it was read from AWS."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nwchatctl.deploy.model.domains import ApiMapping, Certificate, DnsRecord, Domain
from nwchatctl.deploy.model.release import Release
from nwchatctl.deploy.model.storage import LogGroup, Recovery, Table

if TYPE_CHECKING:
    from nwchatctl.deploy.desired.account_needs import AccountLimits
    from nwchatctl.deploy.domains.facts import DomainFacts
    from nwchatctl.deploy.lock import LockState
    from nwchatctl.deploy.model.state import Key, State
    from nwchatctl.deploy.releases import ReleaseRecord


_KEPT = (Table, Recovery, LogGroup, Release, Certificate, Domain, ApiMapping, DnsRecord)
"""What may stay after `destroy`."""


@dataclass(frozen=True, slots=True)
class Live:
    """The live state. `foreign` resources have a name that the chat needs, but not its tags."""

    state: State
    foreign: tuple[Key, ...]
    api_id: str
    rows: DeployRows
    history_id: str
    facts: DomainFacts
    limits: AccountLimits | None = None
    """Lambda's limits of the account; None if they were not read, or may not be."""

    @property
    def is_partly_deployed(self) -> bool:
        """Whether there is more of the chat than `destroy` leaves."""
        own = self.only_own().state.values()
        return bool(self.api_id) or any(not isinstance(each, _KEPT) for each in own)

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
