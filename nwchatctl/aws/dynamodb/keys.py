"""Which texts can be keys at all: what somebody types need not be one, and is then simply not there."""

from __future__ import annotations

MAX_KEY_BYTES = 1024
"""Of a sort key; a partition key may have twice as much (DynamoDB quotas), and no id of ours has a tenth."""


def can_be_key(text: str) -> bool:
    """Whether DynamoDB would look for it: it refuses a request with any other."""
    try:
        return 0 < len(text.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        # A byte of the command line that was no UTF-8.
        return False
