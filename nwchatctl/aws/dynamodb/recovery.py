"""Point-in-time recovery of tables, as DynamoDB spells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nwchatctl.aws.core.retry import error_code, repeat_while
from nwchatctl.deploy.model.storage import Recovery
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AVAILABLE_SECONDS = 1200.0
"""How long AWS may take to make the backups of a new table available; as terraform-provider-aws."""

POLL_SECONDS = 5.0

_UNAVAILABLE = ("ContinuousBackupsUnavailableException", "TableNotFoundException")
"""What UpdateContinuousBackups answers of a new table; the second if one of DynamoDB's hosts does not know it
yet."""


class Recoveries:
    """Reads point-in-time recovery, and turns it on. `notify` tells the operator what is waited for."""

    def __init__(self, client: DynamoDBClient, notify: Callable[[str], None] = lambda text: None) -> None:
        self._client = client
        self._notify = notify
        self._given_up = threading.Event()

    def read(self, table: str) -> Recovery | None:
        """The table's recovery; None if it is off, or if there is no table that can have it yet."""
        try:
            found = self._client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        except (
            # A table that is CREATING is not found either.
            self._client.exceptions.TableNotFoundException,
            self._client.exceptions.ResourceNotFoundException,
        ):
            return None
        recovery = found.get("PointInTimeRecoveryDescription", {})
        return Recovery(table) if recovery.get("PointInTimeRecoveryStatus") == "ENABLED" else None

    def create(self, recovery: Recovery) -> None:
        """Turns recovery on, once AWS has made it available: minutes after the table was created. Safe to
        repeat.

        Raises ChatError `recovery_unavailable` after `AVAILABLE_SECONDS`, or after `give_up`.
        """
        name = recovery.name
        try:
            repeat_while(
                lambda: self._enable(name),
                lambda error: error_code(error) in _UNAVAILABLE,
                AVAILABLE_SECONDS,
                poll=POLL_SECONDS,
                notice=lambda seconds: self._notify(_notice(name, seconds)),
                ended=self._given_up,
            )
        except self._client.exceptions.ContinuousBackupsUnavailableException as error:
            raise ChatError(
                f"AWS does not offer point-in-time recovery for table {name} yet; the chat works without it",
                hint="`nwchatctl deploy` turns it on later",
                code="recovery_unavailable",
            ) from error

    def give_up(self) -> None:
        """Ends all waits of `create`: the deploy has failed elsewhere."""
        self._given_up.set()

    def _enable(self, table: str) -> None:
        self._client.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def _notice(table: str, seconds: float) -> str:
    waited = f", {seconds / 60:.0f} min so far" if seconds >= 60 else ""
    return (
        f"waiting until AWS offers point-in-time recovery for the new table {table} (minutes{waited}); the "
        "chat works already, Ctrl-C leaves this to the next deploy"
    )
