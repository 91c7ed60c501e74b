"""The sources of settings: the file's name, the variables, and the origin of each loaded value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nwchatctl.config.settings import Settings

FILE_NAME = "nwchat.toml"
PREFIX = "NWCHAT_"

RESERVED_VARIABLES = {
    "NWCHAT_SANDBOX": "1 points every command at the sandbox, as --sandbox does",
    "NWCHAT_SANDBOX_DIR": "where the sandbox keeps its state, instead of ~/.local/state/nwchatctl/sandbox",
    "NWCHAT_CONFIG": "the configuration file, as --config gives it",
}
"""NWCHAT_* variables that are not settings, and their meaning."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, the origin of each value, and the file that was read (None if there is none).

    `origins` has every `section.key` (for tags `tags.KEY`, and `tags` if there are none), with "flag
    --region", "env NWCHAT_AWS__REGION", "file /p/nwchat.toml" or "default".
    """

    settings: Settings
    origins: Mapping[str, str]
    path: Path | None
    ignored: tuple[str, ...] = ()
    """NWCHAT_* variables that Kubernetes or Docker set (`service_links`)."""
