"""Whether a directory belongs to a sandbox, and deletions in it.

A directory is used only if it was empty or has our marker file. In any other directory nothing is created,
deleted or changed. All checks and changes go through one descriptor of the directory, so that a symlink or
a rename in between cannot lead them elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nwchatctl.errors import ChatError, Exit

MARKER = ".nwchatctl-sandbox"
_MARKER_TEXT = b"The state of a sandbox of nwchatctl. `nwchatctl sandbox reset` deletes what is in here.\n"

LOCKS = ("control.lock", "server.lock")
FOLDERS = ("data", "proxies", "tmp")
_FILES = ("credentials.json", "sandbox.log", "sandbox.log.1", "server.json", "settings.json")
_OWN_NAMES = frozenset({MARKER, *LOCKS, *FOLDERS, *_FILES})
# A file that `state.write_json` was writing when its process was killed.
_TEMPORARY = re.compile(r"\.?(credentials|server|settings)\.json\.?[a-z0-9_]{8}")


def claim(root: Path) -> None:
    """Makes `root` a sandbox's directory, readable by its owner only: creates it, or marks an empty one.

    Raises ChatError `sandbox_dir` if it has other files, belongs to another user or cannot be used.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _opened(root) as directory:
            _claim(root, directory)
    except OSError as error:
        raise _error(f"the sandbox directory {root} cannot be used: {error.strerror}") from error


def is_own(root: Path) -> bool:
    """Whether `root` is a sandbox's directory; changes nothing."""
    try:
        with _opened(root) as directory:
            return _is_marked(directory) or _is_unmarked_sandbox(directory)
    except OSError:
        return False


def check(root: Path) -> bool:
    """Whether `root` is a sandbox's directory; False if it is empty or does not exist.

    Raises ChatError `sandbox_dir` if it is something else.
    """
    if is_own(root):
        return True
    try:
        if any(root.iterdir()):
            raise _foreign(root)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _error(f"the sandbox directory {root} cannot be used: {error.strerror}") from error
    return False


def delete(root: Path, *names: str) -> None:
    """Deletes files and folders of a sandbox's directory; links in it are not followed.

    Raises ChatError `sandbox_dir`, and deletes nothing, if `root` is not marked as ours.
    """
    with _opened(root) as directory:
        if not _is_marked(directory):
            raise _foreign(root)
        for name in names:
            with suppress(FileNotFoundError):
                if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    shutil.rmtree(name, ignore_errors=True, dir_fd=directory)
                else:
                    os.unlink(name, dir_fd=directory)


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


def _claim(root: Path, directory: int) -> None:
    about = os.fstat(directory)
    if about.st_uid != os.geteuid():
        raise _error(f"the sandbox directory {root} belongs to another user")
    if not _is_marked(directory):
        # The marker once more at the end: another command may have set it in between, and added files.
        if os.listdir(directory) and not (_is_unmarked_sandbox(directory) or _is_marked(directory)):
            raise _foreign(root)
        _mark(root, directory)
    for name in FOLDERS:
        if _is_link(name, directory):
            raise _error(f"{root / name} is a symbolic link")
    if stat.S_IMODE(about.st_mode) != 0o700:
        os.fchmod(directory, 0o700)


def _mark(root: Path, directory: int) -> None:
    """Creates the marker, and deletes it again if other files appeared meanwhile."""
    try:
        marker = os.open(MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    except FileExistsError:
        # Another command has just marked it.
        if not _is_marked(directory):
            raise _foreign(root) from None
        return
    with os.fdopen(marker, "wb") as file:
        file.write(_MARKER_TEXT)
    if not all(map(_is_own_name, os.listdir(directory))):
        os.unlink(MARKER, dir_fd=directory)
        raise _foreign(root)


def _is_marked(directory: int) -> bool:
    return os.fstat(directory).st_uid == os.geteuid() and _is_own_file(MARKER, directory)


def _is_unmarked_sandbox(directory: int) -> bool:
    """Whether an earlier version, which had no marker, made the directory: both of its lock files, which are
    always empty, and nothing that a sandbox does not have."""
    about = os.fstat(directory)
    return (
        about.st_uid == os.geteuid()
        and stat.S_IMODE(about.st_mode) == 0o700
        and all(map(_is_own_name, os.listdir(directory)))
        and all(_is_own_file(name, directory, size=0) for name in LOCKS)
    )


def _is_own_name(name: str) -> bool:
    return name in _OWN_NAMES or _TEMPORARY.fullmatch(name) is not None


def _is_own_file(name: str, directory: int, *, size: int | None = None) -> bool:
    """Whether `name` is a regular file of this user, with `size` bytes if given."""
    try:
        about = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and size in (None, about.st_size)


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _foreign(root: Path) -> ChatError:
    return _error(f"{root} is not the directory of a sandbox: it has other files")


def _error(message: str) -> ChatError:
    return ChatError(
        message,
        hint="set NWCHAT_SANDBOX_DIR to an empty directory of your own",
        code="sandbox_dir",
        exit_code=Exit.CONFIG,
    )
