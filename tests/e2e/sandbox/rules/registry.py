"""The probes: one for every rule of the table, which shows whether the sandbox behaves as AWS does."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.support.sandbox import Sandbox

SHORTENED: dict[str, float | None] = {
    "idle_timeout": 0.5,
    "connection_lifetime": 0.8,
    "table_ready": 0.5,
    "role_visible": 0.5,
    "certificate_record": 0.5,
    "deployment_interval": 0.5,
    "stage_ready": 0.6,
    "connect_rate": 20,
    "connect_burst": 10,
    "posts_rate": 40,
    "posts_burst": 25,
    "concurrent_executions": 8,
    "function_ready": 0.3,
    "role_assumable": 0.5,
}
"""Values in the rules' units for a probe that would otherwise wait too long, or send too much."""


@dataclass(frozen=True)
class Probe:
    """What a probe works with: a running sandbox, in which it makes resources of its own."""

    sandbox: Sandbox

    def client(self, service: str, *, root: bool = True) -> Any:
        """A boto3 client of the root user (or of the operator), which retries nothing."""
        return self.sandbox.client(service, root=root)

    def name(self) -> str:
        """A name that nothing else has."""
        return f"rule-{secrets.token_hex(4)}"


Check = Callable[[Probe], bool]
PROBES: list[tuple[str, Check]] = []
"""Each with the rule that it is about. A rule that several services have has several probes."""


def probe(rule: str) -> Callable[[Check], Check]:
    """Registers a function that is True if the sandbox behaves as AWS does by `rule`, and False if it does
    not. It must not wait longer than a second."""

    def register(check: Check) -> Check:
        PROBES.append((rule, check))
        return check

    return register


def unthrottled(call: Callable[..., Any], **parameters: Any) -> Any:
    """The answer of a call, which is repeated where the account's pace refuses it.
    Invocations have other limits, and are not repeated."""
    end = time.monotonic() + 20
    while True:
        try:
            return call(**parameters)
        except ClientError as error:
            paced = error.response["Error"]["Code"] == "TooManyRequestsException"
            if not paced or error.operation_name == "Invoke" or time.monotonic() > end:
                raise
            time.sleep(0.05)
