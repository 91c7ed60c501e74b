from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from nwchatctl.aws.core.tagged_deletion import delete_tagged


def failing(code: str) -> None:
    raise ClientError({"Error": {"Code": code}}, "DeleteApi")


@pytest.mark.parametrize(
    ("code", "exists"), [("AccessDeniedException", True), ("TooManyRequestsException", False)]
)
def test_other_failures_are_raised(code: str, exists: bool) -> None:
    with pytest.raises(ClientError, match=code):
        delete_tagged(lambda: failing(code), lambda: exists)


def test_missing_resource_is_no_error_although_its_deletion_is_denied() -> None:
    delete_tagged(lambda: failing("AccessDeniedException"), lambda: False)


def test_deleted_resource_is_not_looked_for() -> None:
    delete_tagged(lambda: None, lambda: pytest.fail("looked for"))
