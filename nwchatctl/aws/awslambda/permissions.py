"""The statements of functions' resource policies that let API Gateway invoke them.

Of two AddPermission or RemovePermission calls for one function that overlap, Lambda may lose one without an
error (terraform-provider-aws serialises them by function), or refuse one with a conflict. So calls for one
function run one after another in this process, and each is checked by a read. The deploy lock keeps other
processes out; what a console does at the same moment is repaired by the check, or by the next deploy.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.core.conditions import source_arn
from nwchatctl.aws.core.retry import reports_existing, wait_until, with_retries
from nwchatctl.deploy.model.functions import ALIAS, STATEMENT_PREFIX, Permission, permission_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_WAIT_SECONDS = 60.0
"""How long a change is repeated until a read shows it."""


class Permissions:
    """Reads and changes permissions. Each call is safe to repeat and to run concurrently with others."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client
        self._locks: dict[str, threading.Lock] = {}

    def read(self, function: str) -> list[Permission]:
        """The permissions on the live alias that the tool created, by their prefix; others belong to the
        operator."""
        try:
            response = self._client.get_policy(FunctionName=function, Qualifier=ALIAS)
        except self._client.exceptions.ResourceNotFoundException:
            return []
        statements = json.loads(response["Policy"]).get("Statement", [])
        return [
            _permission(function, each)
            for each in statements
            if each.get("Sid", "").startswith(STATEMENT_PREFIX)
        ]

    def put(self, permission: Permission) -> None:
        """Adds the statement, until it is stored; replaces one with the same id, because AWS cannot update
        it. Raises ChatError `timeout`."""
        what = f"permission {permission.name} is added again and again, and is not stored"
        with self._lock(permission.function):
            wait_until(lambda: self._is_put(permission), what, _WAIT_SECONDS)

    def delete(self, permission: Permission) -> None:
        """Deletes the statement, until it is gone; a missing one is no error. Raises ChatError `timeout`."""
        what = f"permission {permission.name} is removed again and again, and is still stored"
        with self._lock(permission.function):
            wait_until(lambda: self._is_deleted(permission), what, _WAIT_SECONDS)

    def _lock(self, function: str) -> threading.Lock:
        return self._locks.setdefault(function, threading.Lock())

    def _is_put(self, permission: Permission) -> bool:
        """Adds the statement once; whether it is stored."""
        try:
            self._add(permission)
        except self._client.exceptions.ResourceConflictException as error:
            if not reports_existing(error):
                raise
            # It has other contents, or an attempt whose response was lost has added it.
            have = self._find(permission)
            if have is None or have == permission:
                return have == permission
            self._remove(permission)
            self._add(permission)
        return self._find(permission) == permission

    def _is_deleted(self, permission: Permission) -> bool:
        return self._remove(permission) or self._find(permission) is None

    def _find(self, permission: Permission) -> Permission | None:
        stored = with_retries(self.read, permission.function)
        return next((each for each in stored if each.statement_id == permission.statement_id), None)

    def _add(self, permission: Permission) -> None:
        with_retries(
            self._client.add_permission,
            FunctionName=permission.function,
            Qualifier=ALIAS,
            StatementId=permission.statement_id,
            Action="lambda:InvokeFunction",
            Principal=permission.principal,
            SourceArn=permission.source_arn,
        )

    def _remove(self, permission: Permission) -> bool:
        """Removes the statement; whether it was missing already."""
        try:
            with_retries(
                self._client.remove_permission,
                FunctionName=permission.function,
                Qualifier=ALIAS,
                StatementId=permission.statement_id,
            )
        except self._client.exceptions.ResourceNotFoundException:
            return True
        return False


def _permission(function: str, statement: Any) -> Permission:
    principal = statement.get("Principal", "")
    return Permission(
        name=permission_name(function, statement["Sid"]),
        function=function,
        statement_id=statement["Sid"],
        principal=principal if isinstance(principal, str) else str(principal.get("Service", principal)),
        source_arn=source_arn(statement),
    )
