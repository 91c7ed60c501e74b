"""The parameter with the token signing keys, as Systems Manager's Parameter Store spells it.

Its value is secret: it is neither in the model nor in an error, and --debug shows no parameters of calls.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from nwchat.auth.token_keys import TokenKey, read_keys, write_keys
from nwchatctl.aws.core.retry import error_code, repeat_while, with_retries
from nwchatctl.aws.core.tags import from_list, tag_changes, to_list
from nwchatctl.aws.core.update_existing import update_existing
from nwchatctl.deploy.model.storage import TokenKeys
from nwchatctl.deploy.signing_keys import new_key
from nwchatctl.errors import ChatError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_RESOURCE_TYPE: Any = "Parameter"


RECREATION_SECONDS = 90.0
"""A parameter can be created again 30 seconds after its deletion (SSM service model, DeleteParameter)."""


class StoredKeys(NamedTuple):
    """A parameter's content: keys, newest first, and its version, which each put increments."""

    keys: tuple[TokenKey, ...]
    version: int


class KeyParameters:
    """Reads and changes parameters with token keys; `clock` gives epoch ms. `notify` tells the operator what
    is waited for."""

    def __init__(
        self, client: SSMClient, clock: Callable[[], int], notify: Callable[[str], None] = lambda text: None
    ) -> None:
        self._client = client
        self._clock = clock
        self._notify = notify

    def read(self, name: str) -> TokenKeys | None:
        """The parameter without its value; None if it does not exist."""
        try:
            # Not decrypted: a plan has no use for the keys.
            found = self._client.get_parameter(Name=name, WithDecryption=False)["Parameter"]
            tags = self._client.list_tags_for_resource(ResourceType=_RESOURCE_TYPE, ResourceId=name)
        except (self._client.exceptions.ParameterNotFound, self._client.exceptions.InvalidResourceId):
            return None
        return TokenKeys(name, str(found.get("Type", "")), from_list(tags.get("TagList", [])))

    def keys(self, name: str) -> tuple[TokenKey, ...] | None:
        """The keys, newest first; None if the parameter does not exist. Raises the errors of
        `read_stored`."""
        found = self.read_stored(name)
        return found.keys if found else None

    def read_stored(self, name: str) -> StoredKeys | None:
        """The keys and the parameter's version; None if it does not exist.

        A recent put may not be visible yet: Parameter Store is eventually consistent. Raises ChatError
        `token_keys_unreadable` if the value is not a list of keys.
        """
        try:
            found = with_retries(self._client.get_parameter, Name=name, WithDecryption=True)["Parameter"]
        except self._client.exceptions.ParameterNotFound:
            return None
        try:
            return StoredKeys(read_keys(found["Value"]), int(found.get("Version", 0)))
        except ValueError:
            raise ChatError(
                f"what is in parameter {name} are no token keys: somebody has changed it",
                hint=f"aws ssm delete-parameter --name {name}; then `nwchatctl deploy` makes new ones",
                code="token_keys_unreadable",
            ) from None

    def put(self, name: str, keys: Sequence[TokenKey]) -> int:
        """Replaces the stored keys by `keys`; returns the new version, the previous one plus 1. Safe to
        repeat."""
        return int(self._put(Name=name, Value=write_keys(keys), Overwrite=True)["Version"])

    def _put(self, **request: Any) -> Any:
        """The answer to PutParameter. AWS's texts about invalid parameters repeat their values."""
        try:
            return with_retries(self._client.put_parameter, **request)
        except ClientError as error:
            if error_code(error) != "ValidationException":
                raise
        raise ChatError(
            f"AWS refuses PutParameter: parameter {request['Name']} is not valid",
            hint="this is a fault of nwchatctl; nothing was changed",
            code="validation",
        )

    def create(self, wanted: TokenKeys) -> None:
        """Creates the parameter with its tags and a new key, once its name is free; an existing parameter of
        the chat keeps its keys.

        Raises ChatError `not_ours` if the existing parameter is not the chat's, and
        `parameter_deleted_recently`.
        """
        key = new_key(self._clock() // 1000, secrets.token_bytes)
        taken = self._client.exceptions.ParameterAlreadyExists
        try:
            repeat_while(
                lambda: self._create_or_update(wanted, key),
                lambda error: isinstance(error, taken),
                RECREATION_SECONDS,
                notice=lambda _: self._notify(
                    f"waiting until the name of parameter {wanted.name} is free again: AWS keeps it for half "
                    "a minute after a deletion"
                ),
            )
        except taken as error:
            raise ChatError(
                f"AWS does not free the name of parameter {wanted.name}, which was deleted a moment ago",
                hint="run the command again in a minute",
                code="parameter_deleted_recently",
            ) from error

    def _create_or_update(self, wanted: TokenKeys, key: TokenKey) -> None:
        """Creates the parameter or updates the existing one. Raises ParameterAlreadyExists if AWS says so and
        there is none: its name is kept for a while after a deletion."""
        kind: Any = wanted.type
        try:
            self._put(
                Name=wanted.name,
                Description="Made by nwchatctl: the keys that a chat's tokens are signed with",
                Value=write_keys([key]),
                Type=kind,
                Tags=to_list(wanted.tags),
            )
        except self._client.exceptions.ParameterAlreadyExists as error:
            have = with_retries(self.read, wanted.name)
            if have is None:
                raise
            update_existing(wanted, lambda name: have, self.update, error)

    def update(self, before: TokenKeys, after: TokenKeys) -> None:
        """Updates what differs. An unencrypted parameter is created again with a new key: the old key was
        readable, and Parameter Store cannot change a parameter's type."""
        if before.type != after.type:
            self.delete(before)
            self.create(after)
            return
        put, dropped = tag_changes(before.tags, after.tags)
        resource: Any = {"ResourceType": _RESOURCE_TYPE, "ResourceId": after.name}
        if put:
            with_retries(self._client.add_tags_to_resource, **resource, Tags=to_list(put))
        if dropped:
            with_retries(self._client.remove_tags_from_resource, **resource, TagKeys=dropped)

    def delete(self, keys: TokenKeys) -> None:
        """Deletes the parameter; a missing one is no error."""
        with suppress(self._client.exceptions.ParameterNotFound):
            with_retries(self._client.delete_parameter, Name=keys.name)
