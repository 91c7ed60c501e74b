"""Settings: flags, then NWCHAT_* variables, then nwchat.toml, then defaults.

Importing this package is cheap; pydantic is imported by the first `load` or the first use of `Settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nwchatctl.config.sources import FILE_NAME as FILE_NAME
from nwchatctl.config.sources import PREFIX as PREFIX
from nwchatctl.config.sources import RESERVED_VARIABLES as RESERVED_VARIABLES
from nwchatctl.config.sources import LoadedSettings as LoadedSettings
from nwchatctl.errors import ChatError, Exit
from nwchatctl.private_files import expanded

if TYPE_CHECKING:
    from nwchatctl.config.settings import Settings as Settings


def load(
    config: Path | None, *, cwd: Path, environ: Mapping[str, str], flags: Mapping[str, object]
) -> LoadedSettings:
    """The settings for a command run in `cwd`; `flags` are keyed by `section.key`.

    Raises ChatError, exit 3, with all errors in its message: `config_missing` (the given file),
    `config_untrusted`, `config_unreadable`, `config_syntax`, `config_unknown_key`, `config_invalid`.
    """
    from nwchatctl.config import loader  # noqa: PLC0415 - imports pydantic, which is slow

    path = find_file(config, cwd=cwd, environ=environ)
    return loader.build(path, environ, flags)


def find_file(config: Path | None, *, cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """The file that `load` reads: `config`, else NWCHAT_CONFIG, else nwchat.toml in `cwd` or above it.

    Raises ChatError, exit 3: `config_missing` if a given file does not exist, `config_untrusted` if another
    user may have written the file that was found.
    """
    given = config or (Path(environ["NWCHAT_CONFIG"]) if environ.get("NWCHAT_CONFIG") else None)
    if given is None:
        found = next((each for folder in (cwd, *cwd.parents) if _is_file(each := folder / FILE_NAME)), None)
        return None if found is None else _trusted(found)
    path = cwd / expanded(given)
    if not _exists(path):
        source = "--config" if config else "NWCHAT_CONFIG"
        raise ChatError(
            f"there is no configuration file {path}",
            hint=f"mend {source}, or write the file: nwchatctl init --path {given}",
            code="config_missing",
            exit_code=Exit.CONFIG,
        )
    return path


def _trusted(path: Path) -> Path:
    from nwchatctl.config import file_trust  # noqa: PLC0415 - only where there is a file

    try:
        why = file_trust.why_untrusted(path)
    except OSError as error:
        why = f"who can change it is not known: {error.strerror}"
    if not why:
        return path
    raise ChatError(
        f"{path} is not used: {why}",
        hint=f"make it yours alone (chown, chmod go-w), or trust it by name: --config {path}",
        code="config_untrusted",
        exit_code=Exit.CONFIG,
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # A file that may not be accessed is assumed to exist; reading it gives the error.
        return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def __getattr__(name: str) -> object:
    if name == "Settings":
        from nwchatctl.config.settings import Settings as Settings  # noqa: PLC0415 - as in `load`

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
