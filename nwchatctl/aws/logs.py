"""Log groups, as CloudWatch Logs spells them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import with_retries
from nwchatctl.aws.core.tags import from_mapping, tag_changes
from nwchatctl.deploy.model.storage import LogGroup
from nwchatctl.deploy.model.string_map import StringMap

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class LogGroups:
    """Reads and changes log groups. `arn_of` gives a group's ARN without the trailing `:*`."""

    def __init__(self, client: CloudWatchLogsClient, arn_of: Callable[[str], str]) -> None:
        self._client = client
        self._arn = arn_of

    def read(self, name: str) -> LogGroup | None:
        """The group; None if it does not exist."""
        return next(iter(self.read_all(name, [name])), None)

    def read_all(self, prefix: str, names: Collection[str], start: StartRead = run_inline) -> list[LogGroup]:
        """The existing groups among `names`. All names begin with `prefix`: one call lists them."""
        pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        days = {
            each["logGroupName"]: each.get("retentionInDays", 0)
            for page in pages
            for each in page["logGroups"]
            if each.get("logGroupName") in names
        }
        tags = {name: start(self._tags, name) for name in days}
        return [LogGroup(name, days[name], tags[name]()) for name in days]

    def create(self, group: LogGroup) -> None:
        """Creates the group with its tags, then its retention; updates an existing group.

        A group with the name of the chat's function belongs to the chat whatever its tags: Lambda creates it
        if a function logs first.
        """
        try:
            with_retries(self._client.create_log_group, logGroupName=group.name, tags=dict(group.tags))
        except self._client.exceptions.ResourceAlreadyExistsException:
            have = with_retries(self.read, group.name)
            if have is None:
                raise
            self.update(have, group)
        else:
            self._retain(group)

    def update(self, before: LogGroup, after: LogGroup) -> None:
        """Updates retention and tags if they differ."""
        if before.retention_days != after.retention_days:
            self._retain(after)
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.tag_resource, resourceArn=self._arn(after.name), tags=dict(put))
        if dropped:
            with_retries(self._client.untag_resource, resourceArn=self._arn(after.name), tagKeys=dropped)

    def delete(self, group: LogGroup) -> None:
        """Deletes the group and its logs; a missing group is no error."""
        try:
            with_retries(self._client.delete_log_group, logGroupName=group.name)
        except self._client.exceptions.ResourceNotFoundException:
            return

    def _retain(self, group: LogGroup) -> None:
        with_retries(
            self._client.put_retention_policy, logGroupName=group.name, retentionInDays=group.retention_days
        )

    def _tags(self, name: str) -> StringMap:
        return from_mapping(self._client.list_tags_for_resource(resourceArn=self._arn(name)).get("tags", {}))
