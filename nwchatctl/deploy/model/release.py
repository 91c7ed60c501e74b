"""What the chat runs, or ran, as one thing that can be gone back to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Release:
    """What the chat ran, or runs: the versions behind the aliases and the deployment in front of them.

    Named by a fingerprint of the two, so that what is deployed again is the same release. `functions` maps
    a function's name to its alias's `runs`. `latest` is whether it was deployed last; `settings` is what a
    person calls it by, attribute by attribute, and not compared.
    """

    kind: ClassVar[str] = "release"
    name: str
    functions: StringMap
    deployment: str
    code_sha256: str
    latest: bool
    settings: StringMap = field(default=(), compare=False)
