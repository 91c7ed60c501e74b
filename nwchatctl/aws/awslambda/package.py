"""The functions' zip: the same bytes from the same sources, on any machine and at any time.

It contains PyJWT beside the package `nwchat`, because Lambda's runtimes lack it: its sources, and its
licence.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType

import nwchat
from nwchatctl.errors import ChatError, Exit

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip entry can have."""

_UNIX = 3
"""The system whose file modes `external_attr` has (PKWARE's APPNOTE, 4.4.2)."""

PYJWT = "2.15.1"
"""As pinned in pyproject.toml. Another version would change the zip, and so the chat, between machines."""


@dataclass(frozen=True, slots=True)
class Package:
    """A deployment package: its bytes, and their SHA-256 in base64 as Lambda reports it."""

    content: bytes
    sha256: str


def build_package() -> Package:
    """The package with `nwchat`, as it is installed or checked out, and `jwt`.

    Raises ChatError `pyjwt_version`, exit 3, if another version than the pinned one is installed.
    """

    return zip_folder(Path(nwchat.__file__).parent, _pyjwt())


def _sources(folder: Path) -> dict[str, bytes]:
    """The Python sources of `folder`, by their names in the zip, which begin with the folder's name."""
    return {
        f"{folder.name}/{source.relative_to(folder).as_posix()}": source.read_bytes()
        for source in folder.rglob("*.py")
    }


def zip_folder(folder: Path, extra_files: Mapping[str, bytes] = MappingProxyType({})) -> Package:
    """A zip of the Python sources of `folder` and of `extra_files` (content by name).

    Stored, not deflated: zlib's output differs between its versions, so that two operators' machines would
    each see the other's deploy as drift.
    """
    files = {**_sources(folder), **extra_files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            # By default an entry says which system made it, which is another on Windows.
            entry.create_system = _UNIX
            entry.external_attr = 0o100644 << 16
            # A checkout on Windows has other line endings.
            archive.writestr(entry, files[name].replace(b"\r\n", b"\n"))
    content = buffer.getvalue()
    return Package(content, base64.b64encode(hashlib.sha256(content).digest()).decode())


def _pyjwt() -> dict[str, bytes]:
    try:
        found = distribution("pyjwt")
    except PackageNotFoundError:
        raise _pyjwt_error("missing") from None
    if found.version != PYJWT:
        raise _pyjwt_error(found.version)
    licences = [each for each in found.files or () if each.name == "LICENSE"]
    folder = Path(str(found.locate_file("jwt")))
    if not licences or not (folder / "__init__.py").is_file():
        raise _pyjwt_error("installed in part")
    return {**_sources(folder), "jwt/LICENSE": licences[0].read_binary()}


def _pyjwt_error(what: str) -> ChatError:
    return ChatError(
        f"the functions need PyJWT {PYJWT} in their zip, and here it is {what}",
        hint=f"pip install pyjwt=={PYJWT}",
        code="pyjwt_version",
        exit_code=Exit.CONFIG,
    )
