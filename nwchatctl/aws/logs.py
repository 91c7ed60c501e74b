"""Log groups, as CloudWatch Logs spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nwchatctl.aws.patience import patiently
from nwchatctl.aws.tagging import changed, from_mapping
from nwchatctl.deploy.model import LogGroup

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class LogGroups:
    """Reads and changes log groups. `arn_of` gives a group's ARN without the trailing `:*`."""

    def __init__(self, client: CloudWatchLogsClient, arn_prefix: str) -> None:
        self._client = client
        self._arn_prefix = arn_prefix

    def read(self, name: str) -> LogGroup | None:
        """The group, or None where there is none."""
        pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        found = [each for page in pages for each in page["logGroups"] if each.get("logGroupName") == name]
        if not found:
            return None
        tags = self._client.list_tags_for_resource(resourceArn=self._arn(name)).get("tags", {})
        return LogGroup(name, found[0].get("retentionInDays", 0), from_mapping(tags))

    def create(self, group: LogGroup) -> None:
        """Makes the group with its tags, then its retention; one that is there already gets both.

        A group of our functions' is ours whatever its tags: Lambda makes it when a function logs first.
        """
        try:
            patiently(self._client.create_log_group, logGroupName=group.name, tags=dict(group.tags))
        except self._client.exceptions.ResourceAlreadyExistsException:
            have = patiently(self.read, group.name)
            if have is None:
                raise
            self.update(have, group)
        else:
            self._retain(group)

    def update(self, before: LogGroup, after: LogGroup) -> None:
        """Changes retention and tags where they differ."""
        if before.retention_days != after.retention_days:
            self._retain(after)
        put, dropped = changed(before.tags, after.tags)
        if put:
            patiently(self._client.tag_resource, resourceArn=self._arn(after.name), tags=dict(put))
        if dropped:
            patiently(self._client.untag_resource, resourceArn=self._arn(after.name), tagKeys=dropped)

    def delete(self, group: LogGroup) -> None:
        """Removes the group and its logs; one that is gone already is fine."""
        try:
            patiently(self._client.delete_log_group, logGroupName=group.name)
        except self._client.exceptions.ResourceNotFoundException:
            return

    def _retain(self, group: LogGroup) -> None:
        patiently(
            self._client.put_retention_policy, logGroupName=group.name, retentionInDays=group.retention_days
        )

    def _arn(self, name: str) -> str:
        return f"{self._arn_prefix}{name}"
