"""A release: what the chat runs, or ran, as a unit for rollbacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap


@dataclass(frozen=True, slots=True)
class Release:
    """A release: the versions of the aliases and the deployment of the stage.

    Its name is a fingerprint of the two, so that deploying the same again gives the same release. `functions`
    maps a function's name to its alias's `runs`. `latest`: it was deployed last. `settings` are its readable
    attributes, and not compared.
    """

    kind: ClassVar[str] = "release"
    name: str
    functions: StringMap
    deployment: str
    code_sha256: str
    latest: bool
    settings: StringMap = field(default=(), compare=False)
