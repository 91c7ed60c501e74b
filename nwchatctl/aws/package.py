"""The functions' zip: the same bytes from the same sources, on any machine and at any time."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name."""


@dataclass(frozen=True, slots=True)
class Package:
    """A deployment package: its bytes, and their SHA-256 in base64 as Lambda reports it."""

    content: bytes
    sha256: str


def package() -> Package:
    """The package `nwchat`, zipped as it is installed or checked out."""
    import nwchat

    return zipped(Path(nwchat.__file__).parent)


def zipped(folder: Path) -> Package:
    """`folder` with its Python sources, under its own name.

    Stored, not deflated: zlib's output differs between its versions, and then two operators' machines
    would each find the other's deploy to be drift.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for source in sorted(folder.rglob("*.py"), key=lambda each: each.relative_to(folder).as_posix()):
            entry = zipfile.ZipInfo(f"{folder.name}/{source.relative_to(folder).as_posix()}", _EPOCH)
            entry.external_attr = 0o100644 << 16
            # A checkout on Windows has other line ends.
            archive.writestr(entry, source.read_bytes().replace(b"\r\n", b"\n"))
    content = buffer.getvalue()
    return Package(content, base64.b64encode(hashlib.sha256(content).digest()).decode())
