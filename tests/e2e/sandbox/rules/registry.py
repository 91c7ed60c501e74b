"""The probes: one for every rule of the table, which shows whether the sandbox behaves as AWS does."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.support.sandbox import Sandbox

SHORTENED: dict[str, float | None] = {
    "idle_timeout": 0.5,
    "connection_lifetime": 0.8,
    "table_ready": 0.5,
    "role_visible": 0.5,
    "certificate_record": 0.5,
}
"""Values in the rules' units for a probe that would otherwise wait too long."""


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
PROBES: dict[str, Check] = {}


def probe(rule: str) -> Callable[[Check], Check]:
    """Registers a function that is True if the sandbox behaves as AWS does by `rule`, and False if it does
    not. It must not wait longer than a second."""

    def register(check: Check) -> Check:
        assert rule not in PROBES, f"{rule} has two probes"
        PROBES[rule] = check
        return check

    return register
