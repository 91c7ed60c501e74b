"""Deletes that AWS allows by the resource's tags."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from nwchatctl.aws.core.errors import is_denied


def delete_tagged(delete: Callable[[], object], exists: Callable[[], bool]) -> None:
    """Calls `delete`; a resource that is missing although AWS denies its deletion is no error.

    A missing resource has no tags, so a policy that allows the deletion by them denies it: that happens when
    a delete is repeated because its answer was lost. Raises the errors of both calls.
    """
    try:
        delete()
    except ClientError as error:
        if not is_denied(error) or exists():
            raise
