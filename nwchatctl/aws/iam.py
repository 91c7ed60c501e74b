"""Roles, as IAM spells them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nwchatctl.aws.core.parallel import StartRead, run_inline
from nwchatctl.aws.core.retry import VISIBLE_SECONDS, repeat_while, with_retries
from nwchatctl.aws.core.tags import from_list, tag_changes, to_list
from nwchatctl.aws.core.update_existing import update_existing
from nwchatctl.deploy.desired.policies import canonical
from nwchatctl.deploy.model.functions import Role
from nwchatctl.deploy.names import REGION_TAG

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

POLICY = "nwchat"
"""The name of the one inline policy that the tool gives a role."""

_PATH = "/"

_DELETE_ATTEMPTS = 3
"""Attempts to delete a role, if policies are attached to it meanwhile."""


class Roles:
    """Reads and changes roles; those that it deletes are of `region`. Each call is safe to repeat."""

    def __init__(self, client: IAMClient, region: str = "") -> None:
        self._client = client
        self._region = region
        self._ids: dict[str, str] = {}
        self._foreign: set[str] = set()

    def id(self, name: str) -> str:
        """IAM's id of the role, as it was read or created last, "" if it does not exist. A role that is
        deleted and created again has another id."""
        if name not in self._ids:
            self.read(name)
        return self._ids[name]

    def known_ids(self) -> list[str]:
        """IAM's ids of the chat's roles that were read or created."""
        return [each for name, each in self._ids.items() if each and name not in self._foreign]

    def other_than(self, name: str) -> str:
        """The name of another of the chat's roles that was read or created, "" for none."""
        own = (other for other, role_id in self._ids.items() if role_id and other not in self._foreign)
        return next((other for other in own if other != name), "")

    def exclude(self, names: Iterable[str]) -> None:
        """Excludes roles that were read from those of the chat in this Region."""
        self._foreign.update(names)

    def read(self, name: str, start: StartRead = run_inline) -> Role | None:
        """The role with everything attached to it; None if it does not exist."""
        try:
            role = self._client.get_role(RoleName=name)["Role"]
        except self._client.exceptions.NoSuchEntityException:
            self._ids[name] = ""
            return None
        self._ids[name] = role["RoleId"]
        inline, attached = start(self._inline_policies, name), start(self._attached_policies, name)
        others, policy = inline()
        return Role(
            name=name,
            trust=canonical(role.get("AssumeRolePolicyDocument", {})),
            policy=policy,
            other_policies=tuple(sorted(others + attached())),
            tags=from_list(role.get("Tags", [])),
            boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        )

    def create(self, role: Role) -> None:
        """Creates the role with its tags, then its policy; updates an existing role of the chat.

        Raises ChatError `not_ours` if the existing role is not the chat's.
        """
        boundary: Any = {"PermissionsBoundary": role.boundary} if role.boundary else {}
        try:
            created = with_retries(
                self._client.create_role,
                RoleName=role.name,
                Path=_PATH,
                AssumeRolePolicyDocument=role.trust,
                Description="Made by nwchatctl for a chat's Lambda function",
                Tags=to_list(role.tags),
                **boundary,
            )
            self._ids[role.name] = created["Role"]["RoleId"]
        except self._client.exceptions.EntityAlreadyExistsException as error:
            update_existing(role, self.read, self.update, error)
        else:
            self._put_policy(role)

    def update(self, before: Role, after: Role) -> None:
        """Updates what differs and removes all other policies, so that a role has only the permissions of its
        model.

        The boundary comes first: the deploy policy lets only a bounded role have another policy.
        """
        if before.boundary != after.boundary:
            self._set_boundary(after)
        if before.trust != after.trust:
            with_retries(
                self._client.update_assume_role_policy, RoleName=after.name, PolicyDocument=after.trust
            )
        if before.policy != after.policy:
            self._put_policy(after)
        self._remove_policies(
            after.name, [each for each in before.other_policies if each not in after.other_policies]
        )
        put, dropped = tag_changes(before.tags, after.tags)
        if put:
            with_retries(self._client.tag_role, RoleName=after.name, Tags=to_list(put))
        if dropped:
            with_retries(self._client.untag_role, RoleName=after.name, TagKeys=dropped)

    def delete(self, role: Role) -> None:
        """Deletes the role with its policies; a missing role is no error.

        IAM refuses (DeleteConflict) while a policy is attached, so policies that were attached meanwhile are
        removed too. A role of an earlier version of the tool gets the tag of its Region first: without a
        policy nothing else says whose it is, if the delete is interrupted.
        """
        if self._region and REGION_TAG not in dict(role.tags):
            tag: Any = {"Key": REGION_TAG, "Value": self._region}
            with suppress(self._client.exceptions.NoSuchEntityException):
                with_retries(self._client.tag_role, RoleName=role.name, Tags=[tag])
        policies = [*role.other_policies, *([POLICY] if role.policy else [])]
        for attempt in range(1, _DELETE_ATTEMPTS + 1):
            try:
                self._remove_policies(role.name, policies)
                with_retries(self._client.delete_role, RoleName=role.name)
                return
            except self._client.exceptions.NoSuchEntityException:
                return
            except self._client.exceptions.DeleteConflictException:
                if attempt == _DELETE_ATTEMPTS:
                    raise
                policies = self._all_policies(role.name)

    def _put_policy(self, role: Role) -> None:
        """Puts the tool's policy. A role that was created seconds ago may not be found yet: IAM is eventually
        consistent."""
        repeat_while(
            lambda: self._client.put_role_policy(
                RoleName=role.name, PolicyName=POLICY, PolicyDocument=role.policy
            ),
            lambda error: isinstance(error, self._client.exceptions.NoSuchEntityException),
            VISIBLE_SECONDS,
        )

    def _set_boundary(self, role: Role) -> None:
        if role.boundary:
            with_retries(
                self._client.put_role_permissions_boundary,
                RoleName=role.name,
                PermissionsBoundary=role.boundary,
            )
            return
        with suppress(self._client.exceptions.NoSuchEntityException):
            with_retries(self._client.delete_role_permissions_boundary, RoleName=role.name)

    def _remove_policies(self, name: str, policies: list[str]) -> None:
        """Removes policies from a role: ARNs are detached, names (which have no colon) are deleted."""
        for policy in policies:
            try:
                if ":" in policy:
                    with_retries(self._client.detach_role_policy, RoleName=name, PolicyArn=policy)
                else:
                    with_retries(self._client.delete_role_policy, RoleName=name, PolicyName=policy)
            except self._client.exceptions.NoSuchEntityException:
                continue

    def _all_policies(self, name: str) -> list[str]:
        """Every policy of the role; none if the role does not exist."""
        try:
            return [*with_retries(self._inline_names, name), *with_retries(self._attached_policies, name)]
        except self._client.exceptions.NoSuchEntityException:
            return []

    def _inline_policies(self, name: str) -> tuple[list[str], str]:
        """The names of the inline policies that the tool did not create, and the tool's own policy ("" for
        none)."""
        names = self._inline_names(name)
        policy = self._policy(name) if POLICY in names else ""
        return [each for each in names if each != POLICY], policy

    def _inline_names(self, name: str) -> list[str]:
        pages = self._client.get_paginator("list_role_policies").paginate(RoleName=name)
        return [each for page in pages for each in page["PolicyNames"]]

    def _attached_policies(self, name: str) -> list[str]:
        pages = self._client.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        return [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]]

    def _policy(self, name: str) -> str:
        # boto3 decodes the JSON of policies.
        return canonical(self._client.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"])
