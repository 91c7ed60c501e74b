"""Which texts can be keys of DynamoDB: a text that cannot is not looked up."""

from __future__ import annotations

MAX_KEY_BYTES = 1024
"""The maximum of a sort key; a partition key may have twice as much (DynamoDB quotas). The chat's ids have
less than a tenth."""


def can_be_key(text: str) -> bool:
    """Whether DynamoDB accepts the text as a key: it refuses a request with any other."""
    try:
        return 0 < len(text.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        # A byte of the command line that was no UTF-8.
        return False
