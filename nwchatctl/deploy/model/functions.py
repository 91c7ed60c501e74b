"""The chat's functions: their roles, versions, aliases and permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nwchatctl.deploy.model.string_map import StringMap

ALIAS = "live"
"""The alias that routes point at; a release moves it."""

STATEMENT_PREFIX = "nwchat-"
"""The prefix of the tool's statement ids in a function's resource policy."""


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role. `trust` and `policy` are canonical JSON (sorted keys, no spaces).

    `policy` is the one inline policy of the tool, "" if it is missing; `other_policies` names all others,
    attached or inline; none is desired. `boundary` is the ARN of the permissions boundary, "" for none.
    """

    kind: ClassVar[str] = "role"
    name: str
    trust: str
    policy: str
    other_policies: tuple[str, ...]
    tags: StringMap
    boundary: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function's unpublished state ($LATEST). `code_sha256` is base64, as Lambda gives it.

    `description` has the id of the role, as `ROLE_ID` (`placeholders`), if the function was configured for
    the role as it is. `reserved_concurrency` is None for none; versions do not have it. `subnets` and
    `security_groups` are sorted ids of a VPC, empty outside of one.
    """

    kind: ClassVar[str] = "function"
    name: str
    role: str
    handler: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_seconds: int
    environment: StringMap
    code_sha256: str
    log_format: str
    log_level: str
    log_group: str
    snap_start: bool
    tags: StringMap
    description: str = ""
    reserved_concurrency: int | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a function, `function`:`number`. `runs` is its
    `fingerprints.version_fingerprint`.

    `held_by` names the aliases that route calls to it; without any, it can be deleted.
    """

    kind: ClassVar[str] = "version"
    name: str
    function: str
    number: int
    runs: str
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """The alias `function`:live. `runs` is the `fingerprints.version_fingerprint` of its version.

    `weights` are the traffic shares of other versions; none is desired.
    """

    kind: ClassVar[str] = "alias"
    name: str
    function: str
    runs: str
    weights: StringMap


@dataclass(frozen=True, slots=True)
class AsyncInvoke:
    """The settings for asynchronous invocations of `function`:live.

    `on_failure` and `on_success` are the destinations' ARNs, "" for none.
    """

    kind: ClassVar[str] = "async-invoke"
    name: str
    function: str
    retries: int
    max_age_seconds: int
    on_failure: str
    on_success: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement of an alias's resource policy that lets API Gateway invoke it for one route."""

    kind: ClassVar[str] = "permission"
    name: str
    function: str
    statement_id: str
    principal: str
    source_arn: str


def alias_name(function: str) -> str:
    """The name of a function's live alias, as AWS writes a qualified function."""
    return f"{function}:{ALIAS}"


def version_name(function: str, number: int) -> str:
    """The name of a function's version, as AWS writes a qualified function."""
    return f"{function}:{number}"


def permission_name(function: str, statement_id: str) -> str:
    """The name of a permission: its alias, and the statement on it."""
    return f"{alias_name(function)} {statement_id}"
