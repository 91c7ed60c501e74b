"""Every test of the tables against DynamoDB Local: in one file, so that one test process starts it."""

from __future__ import annotations

from tests.adapters.nwchat.storage.test_bans import *  # noqa: F403
from tests.adapters.nwchat.storage.test_budgets import *  # noqa: F403
from tests.adapters.nwchat.storage.test_store import *  # noqa: F403
