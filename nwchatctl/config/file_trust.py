"""Whether a nwchat.toml that was found, not named, can be trusted: no other user may have written it.

A configuration says which AWS profile, which chat and which certificate a command uses: another user's file
would make the operator's credentials work for them. Root is trusted: it can do everything anyway.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

ROOT = 0


def why_untrusted(path: Path) -> str:
    """Which file or directory another user can change, and how, as "/srv can be written by every user".

    "" if the file can be trusted. Raises OSError where it cannot be looked at.
    """
    for each in _on_the_way(path):
        found = each.lstat()
        if found.st_uid not in (ROOT, os.geteuid()):
            return f"{each} belongs to another user"
        if stat.S_ISLNK(found.st_mode) or _is_sticky(found):
            # A link's own mode means nothing. In a sticky directory, as /tmp, others can neither rename nor
            # delete what is not theirs; what is in it is looked at on its own.
            continue
        if found.st_mode & stat.S_IWOTH:
            return f"{each} can be written by every user"
        if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid):
            return f"{each} can be written by other users of its group"
    return ""


def _on_the_way(path: Path) -> Iterator[Path]:
    """The file and its directories up to the root; where links lead elsewhere, those there as well."""
    resolved = path.resolve(strict=True)
    yield from dict.fromkeys((path, *path.parents, resolved, *resolved.parents))


def _is_sticky(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and bool(found.st_mode & stat.S_ISVTX)


def _is_own_group(group: int) -> bool:
    """Whether nobody but this user is in the group: a group of the user's name without other members, as most
    Linux distributions make one for each user, with a umask that lets it write."""
    if group == ROOT:
        return True
    try:
        user, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == user and set(found.gr_mem) <= {user}
