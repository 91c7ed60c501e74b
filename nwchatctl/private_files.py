"""Files of the operator's own: created for the owner alone (mode 0600), never through a symbolic link.

Another user of the machine may have put a link, a FIFO or a file of theirs where a file is to be written.
Every function raises OSError; `strerror` of an `UnsafeFile` says what stands there.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY = 0o600


class UnsafeFile(OSError):
    """A file that is not a regular file, or that another user can reach."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EPERM, why, str(path))


def expanded(path: Path) -> Path:
    """The path with its `~` replaced; as a shell does, one of an unknown user stays as it is."""
    # Path.expanduser raises RuntimeError for such a user.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def create(path: Path) -> BinaryIO:
    """A new file, to be read and written. Raises FileExistsError where there is anything, a link included."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_ONLY)
    # The umask may have taken the owner's rights as well.
    os.fchmod(descriptor, OWNER_ONLY)
    return os.fdopen(descriptor, "r+b")


def open_existing(path: Path) -> BinaryIO:
    """A regular file of this user, to be read and written from its begin. Raises UnsafeFile for any other."""
    return os.fdopen(_own(path, os.O_RDWR), "r+b")


def open_to_append(path: Path) -> BinaryIO:
    """A file of this user, to be written at its end; created if there is none. Raises as `open_existing`."""
    return os.fdopen(_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")


def replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a new file and puts it in the place of `path` in one step. A link there is replaced itself."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            write(file)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file, links followed. Raises UnsafeFile for a device or a FIFO, which might
    never end, and for a file with more than `max_bytes`."""
    # O_NONBLOCK: opening a FIFO that nobody writes to would wait.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(kind):
            raise UnsafeFile(path, "it is not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnsafeFile(path, f"it has more than {max_bytes} bytes")
    return content


def _own(path: Path, flags: int) -> int:
    """The descriptor of a regular file that belongs to this user alone."""
    try:
        descriptor = os.open(
            path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, OWNER_ONLY
        )
    except OSError as error:
        # ELOOP by POSIX; FreeBSD says EMLINK. A FIFO without a reader is ENXIO.
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise UnsafeFile(path, "it is a symbolic link") from None
        if error.errno == errno.ENXIO:
            raise UnsafeFile(path, "it is not a regular file") from None
        raise
    if why := _why_unsafe(os.fstat(descriptor)):
        os.close(descriptor)
        raise UnsafeFile(path, why)
    return descriptor


def _why_unsafe(found: os.stat_result) -> str:
    """What is wrong with a file that this user is to write to; "" for nothing."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_nlink > 1:
        return "it has a second name (a hard link)"
    return ""
