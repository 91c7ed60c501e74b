"""Where a run works: an AWS account and Region, or the running sandbox; clients and environments for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from nwchatctl.aws.core.partitions import partition_of
from nwchatctl.deploy.location import Location
from nwchatctl.sandbox import file_lock, state
from nwchatctl.sandbox.limits import AWS_PACE, RuleValues
from nwchatctl.sandbox.state import AccessKey, SandboxPaths

SANDBOX, AWS = "sandbox", "AWS"


class TargetError(Exception):
    """The target cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """An account and Region with an administrator's session. `rules` are what the sandbox would do there:
    AWS's values for AWS, its own for a sandbox. `sandbox` is the state directory of a sandbox."""

    name: str
    location: Location
    rules: RuleValues
    session: Any = field(repr=False)
    sandbox: SandboxPaths | None = None

    def client(self, service: str, *, retries: bool = True, session: Any = None, url: str = "") -> Any:
        """A client of the administrator, or of `session`; without `retries` each call is made once."""
        attempts: Any = (
            {"mode": "standard", "total_max_attempts": 8} if retries else {"total_max_attempts": 1}
        )
        config = Config(retries=attempts, connect_timeout=5, read_timeout=30, max_pool_connections=40)
        endpoint = url or self.location.sandbox_url or None
        return (session or self.session).client(service, endpoint_url=endpoint, config=config)

    def session_of(self, key: AccessKey) -> Any:
        """A boto3 session with another user's access key."""
        return boto3.session.Session(
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            region_name=self.location.region,
        )

    @contextmanager
    def environment(self, key: AccessKey, home: Path) -> Iterator[dict[str, str]]:
        """The environment of an `nwchatctl` process that uses this target with `key`. `home` is an empty
        directory; nothing of the caller's settings and profiles is passed on."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NWCHAT_"))}
        if bundle := os.environ.get("AWS_CA_BUNDLE"):
            kept["AWS_CA_BUNDLE"] = bundle
        kept |= {"HOME": str(home)}
        if self.sandbox is None:
            keys = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
            yield {**kept, **keys, "AWS_REGION": self.location.region, "AWS_CONFIG_FILE": os.devnull}
            return
        # A state directory that leads to the same server, with this key instead of the operator's.
        shown, info = SandboxPaths(home / "sandbox"), state.read_info(self.sandbox)
        if info is None:
            raise TargetError("the sandbox has stopped; start it: nwchatctl sandbox up")
        shown.make()
        state.write_json(shown.info, {"pid": os.getpid(), "port": info.port, "region": info.region})
        state.write_key(shown, key)
        with file_lock.exclusive(shown.server_lock, timeout=1):
            where = {"NWCHAT_SANDBOX": "1", "NWCHAT_SANDBOX_DIR": str(shown.root)}
            yield {**kept, **where, "AWS_REGION": self.location.region}


def aws_target(profile: str, region: str) -> Target:
    """The account of a profile. Raises TargetError without a Region, and botocore's errors."""
    session = boto3.session.Session(profile_name=profile or None, region_name=region or None)
    if not session.region_name:
        raise TargetError("no Region is set; give one: make live PROFILE=… REGION=us-east-2")
    account = str(session.client("sts").get_caller_identity()["Account"])
    location = Location(account, session.region_name, partition=partition_of(session.region_name))
    return Target(AWS, location, RuleValues(AWS_PACE), session)


def sandbox_target(environ: Mapping[str, str]) -> Target:
    """The running sandbox of this environment, as its root user. Raises TargetError."""
    paths = state.locate(environ)
    info, root = state.running(paths), state.read_root(paths)
    if info is None or root is None:
        raise TargetError("the sandbox is not running; start it: nwchatctl sandbox up")
    session = boto3.session.Session(
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        region_name=info.region,
    )
    location = Location("000000000000", info.region, info.endpoint)
    return Target(SANDBOX, location, info.limits, session, paths)
